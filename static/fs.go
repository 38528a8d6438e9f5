// Package static embeds what the pages link to: style, script and pictures.
package static

import "embed"

// FS holds the files by the names that the templates give to asset.
//
// Chats show a picture with a link to the site, and take no SVG. So there is
// pictures/share.png, made of pictures/share.svg by
//
//	chromium --headless --hide-scrollbars --window-size=1200,630 --screenshot=share.png share.svg
//
//go:embed *.css *.js *.svg pictures
var FS embed.FS
