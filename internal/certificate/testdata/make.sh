#!/usr/bin/env bash
# Makes the fixtures anew, each by a program that authors use. Debian has what
# it takes: chromium libreoffice-writer-nogui ghostscript qpdf python3
# fonts-liberation2. These are written by hand: hand-written.pdf, uppercase.pdf,
# vertical.pdf, the two whose names begin with field- and those with type3-size and
# type3-flipped, and of what can't be seen, alpha-0.pdf clip-path.pdf layer-off.pdf
# off-page.pdf page-edge.pdf two-layers.pdf. empty-glyphs.pdf is gofpdf's, and
# letter-spacing.pdf and type3-style.pdf are Chromium's.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

chrome() {
	chromium --headless --no-sandbox --disable-gpu --no-pdf-header-footer --user-data-dir="$work/chromium" \
		--print-to-pdf="$PWD/$2" "file://$PWD/sources/$1" 2>/dev/null
}
office() { # source, fixture, options of the export
	soffice -env:UserInstallation="file://$work/office" --headless --convert-to "pdf:writer_pdf_Export:$3" \
		--outdir "$work" "sources/$1" >/dev/null
	mv "$work/${1%.fodt}.pdf" "$2"
}

chrome certificate.html chromium.pdf
chrome certificate-own-font.html chromium-own-font.pdf
office certificate.fodt libreoffice.pdf '{}'
office certificate-own-font.fodt libreoffice-own-font.pdf \
	'{"SelectPdfVersion":{"type":"long","value":"1"},"UseTaggedPDF":{"type":"boolean","value":"true"}}'
office certificate.fodt libreoffice-pdfa.pdf \
	'{"SelectPdfVersion":{"type":"long","value":"2"},"UseTaggedPDF":{"type":"boolean","value":"true"}}'
office form.fodt libreoffice-form.pdf '{"ExportFormFields":{"type":"boolean","value":"true"}}'
gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=ghostscript.pdf sources/certificate.ps
python3 sources/hybrid.py >hybrid.pdf
qpdf --object-streams=generate chromium-own-font.pdf object-streams.pdf
qpdf --linearize libreoffice.pdf linearized.pdf
qpdf --linearize --object-streams=generate chromium.pdf linearized-object-streams.pdf
# An overlay makes form XObjects of the pages.
gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile="$work/blank.pdf" -c '<< /PageSize [595 420] >> setpagedevice showpage'
qpdf "$work/blank.pdf" --overlay libreoffice-own-font.pdf -- form-xobject.pdf
qpdf "$work/blank.pdf" --overlay chromium.pdf -- --object-streams=generate form-xobject-object-streams.pdf
qpdf --encrypt reader owner 256 -- chromium.pdf encrypted.pdf
# Encrypted without a password for readers, as print shops do.
encrypted() { # fixture, options of qpdf's --encrypt
	qpdf --allow-weak-crypto --static-id --encrypt "" owner "${@:2}" -- hand-written.pdf "$1.pdf"
}
encrypted encrypted-rc4-40 40
encrypted encrypted-rc4-128 128 --use-aes=n
encrypted encrypted-aes-128 128 --use-aes=y --cleartext-metadata
encrypted encrypted-aes-256-r5 256 --force-R5
qpdf --object-streams=generate --encrypt "" owner 256 -- hand-written.pdf encrypted-aes-256.pdf
