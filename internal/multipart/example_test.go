package multipart_test

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"homepage/internal/multipart"
)

func Example() {
	body := strings.NewReader(strings.ReplaceAll(`--xyz
Content-Disposition: form-data; name="title"

Three books
--xyz
Content-Disposition: form-data; name="file"; filename="books.txt"
Content-Type: text/plain

Emma, Walden, Moby-Dick
--xyz--
`, "\n", "\r\n"))

	form, err := multipart.NewReader(body, "multipart/form-data; boundary=xyz")
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		part, err := form.Next()
		if errors.Is(err, io.EOF) {
			break // the closing delimiter was there: the form is whole
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		content, err := io.ReadAll(form)
		if err != nil {
			fmt.Println(err)
			return
		}
		if part.HasFileName {
			fmt.Printf("%s is the file %s: %s\n", part.Name, part.FileName, content)
		} else {
			fmt.Printf("%s is a field: %s\n", part.Name, content)
		}
	}
	// Output:
	// title is a field: Three books
	// file is the file books.txt: Emma, Walden, Moby-Dick
}
