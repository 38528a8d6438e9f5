// Package templates embeds the pages of the site.
package templates

import "embed"

// FS holds base.html, the frame of every page, and one file for each page.
//
//go:embed *.html
var FS embed.FS
