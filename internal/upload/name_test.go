package upload_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"homepage/internal/upload"
)

func TestCleanName(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"an ordinary name", "notes.txt", "notes.txt"},
		{"letters of any script", "Übung 3 – 読書.pdf", "Übung 3 – 読書.pdf"},
		{"a path", "/etc/passwd", "passwd"},
		{"a Windows path", `C:\Users\ann\cv.doc`, "cv.doc"},
		{"a mixed path", `a/b\..\evil.exe`, "evil.exe"},
		{"the folder above", "..", "file"},
		{"the folder above, with slash", "../", "file"},
		{"nothing", "", "file"},
		{"only dots and spaces", " . . ", "file"},
		{"a hidden file", ".htaccess", "htaccess"},
		{"an option", "--rf", "rf"},
		{"a temporary file's name", ".part-ABC", "part-ABC"},
		{"an accent as a character of its own", "cafe\u0301.txt", "café.txt"},
		{"an accent behind an invisible joiner", "cafe\u200d\u0301.txt", "café.txt"},
		{"bytes that are not text", "a\xff\xfeb.txt", "a\uFFFDb.txt"},
		{"controls", "a\x00b\r\nc\u0085.txt", "abc.txt"},
		{"text that runs backwards", "invoice\u202Etxt.exe", "invoicetxt.exe"},
		{"spaces of all kinds", "a\u00a0b\tc.txt", "a bc.txt"},
		{"characters that Windows refuses", `a<b>c:d"e|f?g*.txt`, "a_b_c_d_e_f_g_.txt"},
		{"what Windows drops at the end", "notes.txt. .", "notes.txt"},
		{"a Windows device", "con.tar.gz", "_con.tar.gz"},
		{"a numbered device of Windows", "COM1", "_COM1"},
		{"a device with a small figure", "lpt².txt", "_lpt².txt"},
		{"almost a device", "COM10.txt", "COM10.txt"},
		{"a long name keeps its extension", strings.Repeat("x", 300) + ".jpeg", strings.Repeat("x", 243) + ".jpeg"},
		{"a long name is cut between letters", strings.Repeat("ü", 200), strings.Repeat("ü", 124)},
		{"a long extension does not count as one", "a." + strings.Repeat("x", 300), "a." + strings.Repeat("x", 246)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := upload.CleanName(test.in); got != test.want {
				t.Errorf("CleanName(%q) = %q, want %q", test.in, got, test.want)
			}
		})
	}
}

// Whatever the name, the file is put directly in the folder, in plain sight.
func FuzzCleanName(f *testing.F) {
	for _, seed := range []string{"notes.txt", "../../etc/passwd", `..\x`, "a\x00b", "con", "\u202Egpj.exe", "e\u0301", strings.Repeat("ü", 300), "LPT9." + strings.Repeat("x", 300), "\xff.\xfe"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := upload.CleanName(in)
		switch {
		case !filepath.IsLocal(got) || filepath.Base(got) != got || strings.ContainsAny(got, `/\`):
			t.Errorf("%q: not a name directly in a folder", got)
		case len(got) > 248:
			t.Errorf("%q: %d bytes leave no room for a suffix", got, len(got))
		case !utf8.ValidString(got) || !norm.NFC.IsNormalString(got):
			t.Errorf("%q: not UTF-8 in NFC", got)
		case strings.ContainsFunc(got, func(r rune) bool { return unicode.Is(unicode.C, r) && !isJoiner(r) }):
			t.Errorf("%q: has invisible characters", got)
		case strings.HasPrefix(got, ".") || strings.HasPrefix(got, "-") || strings.TrimSpace(got) != got:
			t.Errorf("%q: hidden, like an option, or with spaces at its ends", got)
		case upload.CleanName(got) != got:
			t.Errorf("%q: cleaning it again gives %q", got, upload.CleanName(got))
		}
	})
}
