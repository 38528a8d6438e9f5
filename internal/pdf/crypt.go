package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// security is the standard security handler (ISO 32000-1, 7.6.3, and ISO
// 32000-2, 7.6.4, for AES-256) of a file that opens without a password.
type security struct {
	key              []byte
	strings, streams method // of all but what names another
	methods          map[string]method
	metadata         bool // is encrypted
}

// method is how a crypt filter encrypts (7.6.5).
type method int

const (
	methodIdentity method = iota
	methodRC4
	methodAES    // AES-128, with a key for each object
	methodAES256 // with the file's own key
)

var errPassword = errors.New("the PDF is encrypted and opens with a password only; save it without a password, such as with: qpdf --decrypt --password=PASSWORD ENCRYPTED.pdf PLAIN.pdf")

// readSecurity reads the encryption dictionary.
func (d *Document) readSecurity(encrypt types.Dict) (*security, error) {
	number := func(key string) int { return int(d.Number(encrypt[key])) }
	version, revision := number("V"), number("R")
	if name := d.Name(encrypt["Filter"]); name != "Standard" || version < 1 || version == 3 || version > 5 || revision < 2 || revision > 6 {
		return nil, fmt.Errorf("the PDF is encrypted in a way that this program does not know (%s, version %d); save it without a password, such as with: qpdf --decrypt ENCRYPTED.pdf PLAIN.pdf", name, version)
	}
	s := &security{metadata: d.Resolve(encrypt["EncryptMetadata"]) != types.Boolean(false), methods: map[string]method{"Identity": methodIdentity}}
	s.strings, s.streams = methodRC4, methodRC4
	if version >= 4 {
		for name, o := range d.Dict(encrypt["CF"]) {
			switch cfm := d.Name(d.Dict(o)["CFM"]); cfm {
			case "", "None":
				s.methods[name] = methodIdentity
			case "V2":
				s.methods[name] = methodRC4
			case "AESV2":
				s.methods[name] = methodAES
			case "AESV3":
				s.methods[name] = methodAES256
			}
		}
		var err error
		if s.strings, err = s.method(d.Name(encrypt["StrF"])); err != nil {
			return nil, err
		}
		if s.streams, err = s.method(d.Name(encrypt["StmF"])); err != nil {
			return nil, err
		}
	}
	if version == 5 {
		s.key = d.keyAES256(encrypt, revision)
	} else {
		owner, user := d.bytes(encrypt["O"]), d.bytes(encrypt["U"])
		var id []byte
		if parts := d.Array(d.XRef.Trailer["ID"]); len(parts) > 0 {
			id = d.bytes(parts[0])
		}
		// The Length is not to be relied on, so the usual ones are tried too.
		for _, length := range []int{number("Length") / 8, 16, 5} {
			if s.key == nil && length >= 5 && length <= 16 {
				s.key = s.keyMD5(owner, user, id, uint32(int64(number("P"))), revision, length)
			}
		}
	}
	if s.key == nil {
		return nil, errPassword
	}
	return s, nil
}

// method returns the method of a crypt filter.
func (s *security) method(name string) (method, error) {
	if m, ok := s.methods[name]; ok || name == "" {
		return m, nil
	}
	return 0, Damaged("it is encrypted by a crypt filter %s, which it does not have", name)
}

// padding fills a password, here all of it (algorithm 2).
const padding = "\x28\xbf\x4e\x5e\x4e\x75\x8a\x41\x64\x00\x4e\x56\xff\xfa\x01\x08\x2e\x2e\x00\xb6\xd0\x68\x3e\x80\x2f\x0c\xa9\xfe\x64\x53\x69\x7a"

// keyMD5 returns the file's key (algorithm 2), or nil if there is a password
// (algorithms 4 to 6).
func (s *security) keyMD5(owner, user, id []byte, permissions uint32, revision, length int) []byte {
	if len(owner) < 32 || len(user) < 32 {
		return nil
	}
	seed := append([]byte(padding), owner[:32]...)
	seed = append(binary.LittleEndian.AppendUint32(seed, permissions), id...)
	if revision >= 4 && !s.metadata {
		seed = append(seed, 0xff, 0xff, 0xff, 0xff)
	}
	sum := md5.Sum(seed)
	if revision == 2 {
		key := sum[:length]
		if !bytes.Equal(runRC4(key, []byte(padding)), user[:32]) {
			return nil
		}
		return key
	}
	for range 50 {
		sum = md5.Sum(sum[:length])
	}
	key := sum[:length]
	hash := md5.Sum(append([]byte(padding), id...))
	check := hash[:]
	for i := range 20 {
		round := bytes.Clone(key)
		for j := range round {
			round[j] ^= byte(i)
		}
		check = runRC4(round, check)
	}
	if !bytes.Equal(check, user[:16]) {
		return nil
	}
	return key
}

// keyAES256 returns the file's key (ISO 32000-2, algorithm 2.A), or nil if
// neither the user nor the owner has the empty password.
func (d *Document) keyAES256(encrypt types.Dict, revision int) []byte {
	owner, user := d.bytes(encrypt["O"]), d.bytes(encrypt["U"])
	if len(owner) < 48 || len(user) < 48 {
		return nil
	}
	for _, who := range []struct{ password, encrypted, context []byte }{
		{user, d.bytes(encrypt["UE"]), nil},
		{owner, d.bytes(encrypt["OE"]), user[:48]},
	} {
		hash, validation, salt := who.password[:32], who.password[32:40], who.password[40:48]
		if len(who.encrypted) < 32 || !bytes.Equal(hash2B(validation, who.context, revision), hash) {
			continue
		}
		block, _ := aes.NewCipher(hash2B(salt, who.context, revision)) // 32 bytes are a key
		key := make([]byte, 32)
		cipher.NewCBCDecrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(key, who.encrypted[:32])
		return key
	}
	return nil
}

// hash2B hashes the empty password with a salt, and the owner's with the
// user's (ISO 32000-2, algorithm 2.B).
func hash2B(salt, context []byte, revision int) []byte {
	sum := sha256.Sum256(slices.Concat(salt, context))
	k := sum[:]
	if revision < 6 {
		return k
	}
	for i := 0; ; i++ {
		k1 := bytes.Repeat(slices.Concat(k, context), 64)
		block, _ := aes.NewCipher(k[:16])
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(k1, k1)
		remainder := 0
		for _, b := range k1[:16] {
			remainder += int(b)
		}
		switch remainder % 3 {
		case 0:
			h := sha256.Sum256(k1)
			k = h[:]
		case 1:
			h := sha512.Sum384(k1)
			k = h[:]
		default:
			h := sha512.Sum512(k1)
			k = h[:]
		}
		if i >= 63 && int(k1[len(k1)-1]) <= i-31 {
			return k[:32]
		}
	}
}

func runRC4(key, data []byte) []byte {
	out := make([]byte, len(data))
	if c, err := rc4.NewCipher(key); err == nil { // a key of 5 to 16 bytes
		c.XORKeyStream(out, data)
	}
	return out
}

// decrypt decrypts a string or stream of an object (algorithms 1 and 1.A).
func (s *security) decrypt(m method, ref types.IndirectRef, data []byte) ([]byte, error) {
	if m == methodIdentity {
		return data, nil
	}
	key := s.key
	if m != methodAES256 {
		number, generation := ref.ObjectNumber, ref.GenerationNumber
		seed := append(bytes.Clone(key), byte(number), byte(number>>8), byte(number>>16), byte(generation), byte(generation>>8))
		if m == methodAES {
			seed = append(seed, "sAlT"...)
		}
		sum := md5.Sum(seed)
		key = sum[:min(len(key)+5, 16)]
	}
	if m == methodRC4 {
		return runRC4(key, data), nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errors.New("its encryption's key has a wrong length")
	}
	if len(data) < 2*aes.BlockSize {
		return nil, nil // empty, whatever it is padded with
	}
	vector, data := data[:aes.BlockSize], data[aes.BlockSize:]
	out := make([]byte, len(data)/aes.BlockSize*aes.BlockSize)
	cipher.NewCBCDecrypter(block, vector).CryptBlocks(out, data[:len(out)])
	if pad := int(out[len(out)-1]); pad >= 1 && pad <= aes.BlockSize {
		out = out[:len(out)-pad]
	}
	return out, nil
}

// forString returns what decrypts the strings of an object.
func (s *security) forString(ref types.IndirectRef) func([]byte) ([]byte, error) {
	return func(text []byte) ([]byte, error) { return s.decrypt(s.strings, ref, text) }
}

// stream decrypts the data of a stream.
func (s *security) stream(ref types.IndirectRef, d *Document, sd types.StreamDict) ([]byte, error) {
	m := s.streams
	kind, filters := d.Name(sd.Dict["Type"]), d.list(sd.Dict["Filter"])
	switch {
	case kind == "XRef" || kind == "Metadata" && !s.metadata:
		return sd.Raw, nil
	case len(filters) > 0 && d.Name(filters[0]) == "Crypt":
		var parameters types.Dict
		if list := d.list(sd.Dict["DecodeParms"]); len(list) > 0 {
			parameters = d.Dict(list[0])
		}
		var err error
		if m, err = s.method(d.Name(parameters["Name"])); err != nil {
			return nil, err
		}
	}
	return s.decrypt(m, ref, sd.Raw)
}

// bytes returns what a string holds.
func (d *Document) bytes(o types.Object) []byte {
	switch o := d.Resolve(o).(type) {
	case types.StringLiteral:
		return (&Lexer{Data: []byte("(" + string(o) + ")")}).literal()
	case types.HexLiteral:
		return (&Lexer{Data: []byte("<" + string(o) + ">")}).hexadecimal()
	}
	return nil
}

// decrypted writes the file anew without its encryption: all objects, and a
// table of them.
func (d *Document) decrypted() ([]byte, error) {
	trailer := d.XRef.Trailer
	encrypt := d.Dict(trailer["Encrypt"]) // its own strings are not encrypted
	if d.damage != nil {
		return nil, d.damage
	}
	s, err := d.readSecurity(encrypt)
	if err != nil {
		return nil, err
	}
	d.security = s
	clear(d.objects)
	clear(d.containers)
	own, _ := trailer["Encrypt"].(types.IndirectRef)
	header, _, _ := bytes.Cut(d.File[:min(len(d.File), 16)], []byte("\n"))
	header, _, _ = bytes.Cut(header, []byte("\r"))
	u := &Update{Doc: newDocument(nil, nil), entries: map[int]entry{}, size: d.XRef.size}
	u.Buf.Grow(len(d.File))
	u.Buf.WriteString(string(header) + "\n%\xe2\xe3\xcf\xd3\n")
	for number := range d.XRef.numbers() {
		values := d.values
		o, err := d.read(number)
		if d.values = values; err != nil {
			d.fail(number, err)
		}
		if d.damage != nil {
			return nil, d.damage
		}
		ref := *types.NewIndirectRef(number, d.XRef.Generation(number))
		sd, stream := o.(types.StreamDict)
		kind := d.Name(sd.Dict["Type"])
		switch {
		case o == nil, ref == own, kind == "ObjStm", kind == "XRef":
		case stream:
			u.RawStream(ref, d.withoutCrypt(sd.Dict), func() { u.Buf.Write(sd.Raw) }, len(sd.Raw))
		default:
			u.Object(ref, o)
		}
	}
	whole := types.Dict{}
	for _, key := range []string{"Root", "Info", "ID"} {
		if trailer[key] != nil {
			whole[key] = trailer[key]
		}
	}
	u.finishWhole(whole)
	return u.Buf.Bytes(), nil
}

// withoutCrypt returns a stream's dictionary without its crypt filter, which is
// the first if there is one.
func (d *Document) withoutCrypt(dict types.Dict) types.Dict {
	filters, parameters := d.list(dict["Filter"]), d.list(dict["DecodeParms"])
	if len(filters) == 0 || d.Name(filters[0]) != "Crypt" {
		return dict
	}
	delete(dict, "DecodeParms")
	if dict["Filter"] = filters[1:]; len(parameters) > 1 {
		dict["DecodeParms"] = parameters[1:]
	}
	return dict
}
