package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"homepage/static"
	"homepage/templates"
)

// siteFiles are what pages are made of.
type siteFiles struct{ templates, static fs.FS }

// openSite returns the embedded files with those of the folder laid over them,
// file by file. Names that begin with a dot are passed over, as editors and
// desktops leave such files behind. Whatever else would not come into use is an
// error. No folder means none over them.
func openSite(folder string) (siteFiles, error) {
	if folder == "" {
		return siteFiles{templates.FS, static.FS}, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return siteFiles{}, err
	}
	found := false
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case hidden(name):
		case name == "templates" || name == "static":
			found = true
		default:
			return siteFiles{}, fmt.Errorf("%s: only templates and static are used, and names that begin with a dot are passed over", filepath.Join(folder, name))
		}
	}
	if !found {
		return siteFiles{}, fmt.Errorf("%s has neither a folder templates nor a folder static; 'homepage site export' writes them", folder)
	}
	site := siteFiles{
		templates: overlay{os.DirFS(filepath.Join(folder, "templates")), templates.FS},
		static:    overlay{os.DirFS(filepath.Join(folder, "static")), static.FS},
	}
	known, err := fs.ReadDir(templates.FS, ".")
	if err != nil {
		return siteFiles{}, err
	}
	err = walkFiles(site.templates, func(name string) error {
		if !slices.ContainsFunc(known, func(entry fs.DirEntry) bool { return entry.Name() == name }) {
			return fmt.Errorf("%s is none of the site's templates; 'homepage site export' writes them all", filepath.Join(folder, "templates", name))
		}
		return nil
	})
	if err == nil {
		err = walkFiles(site.static, func(string) error { return nil })
	}
	if err != nil {
		return siteFiles{}, fmt.Errorf("%s: %w", folder, err)
	}
	return site, nil
}

// inSiteFolder says of a mistake in the site's files whose they are.
func inSiteFolder(folder string, err error) error {
	if folder == "" {
		return err
	}
	return fmt.Errorf("SITE_FOLDER can't be used: %s: %w", folder, err)
}

// walkFiles calls visit with each file. What can't be read as one is an error.
func walkFiles(files fs.FS, visit func(name string) error) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := fs.Stat(files, name) // of what a link leads to, as Kubernetes mounts files
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a file", name)
		}
		return visit(name)
	})
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") && name != "." }

// overlay has the files of upper, and those of lower that upper has not.
type overlay struct{ upper, lower fs.FS }

func (o overlay) Open(name string) (fs.File, error) {
	file, err := o.upper.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return o.lower.Open(name)
	}
	return file, err
}

// ReadDir lists what both have in a folder, without what is hidden.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	above, err := fs.ReadDir(o.upper, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	above = slices.DeleteFunc(above, func(entry fs.DirEntry) bool { return hidden(entry.Name()) })
	below, lowerErr := fs.ReadDir(o.lower, name)
	if err != nil && lowerErr != nil {
		return nil, err
	}
	for _, entry := range below {
		if !slices.ContainsFunc(above, func(over fs.DirEntry) bool { return over.Name() == entry.Name() }) {
			above = append(above, entry)
		}
	}
	slices.SortFunc(above, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return above, nil
}

const siteUsage = `Usage: homepage site export FOLDER

Writes the site's templates and static files to the folder, to begin your own
look from: change them, delete those that you leave as they are, and set
SITE_FOLDER to the folder. No file that is there already is replaced: the exit
status is 1 then, and nothing is written.

Flags:
  -h, --help  Show this help.
`

// site carries out homepage site export.
func site(args []string, stdout io.Writer) error {
	for _, arg := range args {
		switch {
		case arg == "-h" || arg == "--help" || arg == "-help":
			_, err := io.WriteString(stdout, siteUsage)
			return err
		case strings.HasPrefix(arg, "-"):
			return usageError{"site export has no flag " + arg}
		}
	}
	if len(args) != 2 || args[0] != "export" || args[1] == "" {
		return usageError{"site takes the word export and one folder: homepage site export FOLDER"}
	}
	count, err := exportSite(args[1])
	if err != nil {
		return fmt.Errorf("the site's files can't be exported: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%d files written; set SITE_FOLDER=%s to use them\n", count, args[1])
	return err
}

// exportSite writes the embedded files, or none if one of them is there.
func exportSite(folder string) (count int, err error) {
	embedded := map[string]fs.FS{"templates": templates.FS, "static": static.FS}
	for part, files := range embedded {
		err := walkFiles(files, func(name string) error {
			count++
			file := filepath.Join(folder, part, filepath.FromSlash(path.Clean(name)))
			switch _, err := os.Lstat(file); { //nolint:gosec // the operator names the folder
			case err == nil:
				return fmt.Errorf("%s is there already; nothing was written", file)
			case !errors.Is(err, fs.ErrNotExist):
				return err
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	for part, files := range embedded {
		if err := os.CopyFS(filepath.Join(folder, part), files); err != nil { // which replaces nothing either
			return 0, err
		}
	}
	return count, nil
}
