// Package static embeds what the pages link to: style, script and pictures.
package static

import "embed"

// FS holds the files by the names that the templates give to asset.
//
//go:embed *.css *.js *.svg pictures
var FS embed.FS
