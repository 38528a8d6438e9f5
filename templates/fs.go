// Package templates embeds the pages of the site.
package templates

import "embed"

// FS holds base.html, the frame of every page, one file for each page and each
// section of the homepage, and the style of what stands in for a section.
//
//go:embed *.html *.css
var FS embed.FS
