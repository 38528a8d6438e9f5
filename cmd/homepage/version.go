package main

import (
	"runtime/debug"
	"strings"
)

// version describes a build, for example as
//
//	homepage v0.0.0-20261126153000-abcdef012345 (commit abcdef012345, 2026-11-26, go1.26.10)
//
// A build that was not made in a checkout knows no commit.
func version(build *debug.BuildInfo) string {
	recorded := map[string]string{}
	for _, s := range build.Settings {
		recorded[s.Key] = s.Value
	}
	var details []string
	if commit := recorded["vcs.revision"]; commit != "" {
		day, _, _ := strings.Cut(recorded["vcs.time"], "T")
		details = append(details, "commit "+commit[:min(len(commit), 12)], day)
	}
	text := "homepage " + build.Main.Version + " (" + strings.Join(append(details, build.GoVersion), ", ") + ")"
	if recorded["vcs.modified"] == "true" {
		text += " (modified)"
	}
	return text
}
