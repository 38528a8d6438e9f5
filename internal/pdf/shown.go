package pdf

import (
	"fmt"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// maxShown bounds the characters that PageTexts returns, in bytes. A font can
// give a code of one byte hundreds of them.
const maxShown = 4 << 20

// PageTexts returns the characters that each page and its annotations show, in
// the order of their content and without what only their places tell: spaces and
// ends of lines.
// What a font does not tell is U+FFFD. After the first 4 MiB there is no more.
func (d *Document) PageTexts() ([]string, error) {
	texts := make([]string, len(d.Pages))
	f := d.finder("")
	f.shown = &strings.Builder{}
	for i, page := range d.Pages {
		f.page = i + 1
		begin := f.shown.Len()
		content, err := d.PageContent(page)
		if err == nil {
			_, err = f.scan(content.Bytes, page.resources, 0, pageState())
		}
		if err == nil {
			_, err = f.annotations(page, types.IndirectRef{})
		}
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		texts[i] = f.shown.String()[begin:]
	}
	return texts, nil
}

// tell notes characters that are shown, if they are asked for.
func (f *finder) tell(characters string) {
	if f.shown != nil && f.shown.Len() < maxShown {
		f.shown.WriteString(characters)
	}
}
