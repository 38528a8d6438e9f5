"""Writes a hybrid-reference file (ISO 32000-1, 7.5.8.4) in the layout that
Word is reported to write: a table for old readers, and an update whose XRefStm
lists an object stream that they don't see. Here it has the font, which the
first table calls free. The placeholder is split over three
text objects and all four operators that show text."""
import sys

parts, at = [b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"], {}


def put(number, body):
    at[number] = sum(map(len, parts))
    parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))


def stream(number, entries, data):
    put(number, b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(data), data))


content = b"""BT /F1 24 Tf 60 330 Td (Certificate) Tj ET
BT /F1 14 Tf 1 0 0 1 60 290 Tm 14 TL (Issued at %ti) Tj ET
BT /F1 14 Tf 1 0 0 1 131.2 290 Tm [(me) 10 (st)] TJ ET
BT /F1 14 Tf 1 0 0 1 163 304 Tm 14 TL 0 0 (amp%) " (to whoever reads it.) ' ET"""
put(1, b"<</Type/Catalog/Pages 2 0 R>>")
put(2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>")
put(3, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 420]/Contents 4 0 R/Resources<</Font<</F1 9 0 R>>>>>>")
stream(4, b"", content)
put(5, b"null")
put(6, b"null")
font = b"<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/WinAnsiEncoding>> "
stream(7, b"/Type/ObjStm/N 2/First %d" % len(b"9 0 10 %d " % len(font)), b"9 0 10 %d " % len(font) + font + b"[9 0 R]")
main = sum(map(len, parts))
identity = b"/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]"
parts.append(b"xref\n0 11\n0000000008 65535 f \n" + b"".join(b"%010d 00000 n \n" % at[n] for n in range(1, 8)))
parts.append(b"".join(b"%010d 00000 f \n" % n for n in (9, 10, 0)))
parts.append(b"trailer\n<</Size 11/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (identity, main))
rows = b"\x02\x00\x00\x07\x00" + b"\x02\x00\x00\x07\x01"
stream(8, b"/Type/XRef/Size 11/W[1 3 1]/Index[9 2]/Root 1 0 R" + identity, rows)
update = sum(map(len, parts))
parts.append(b"xref\n0 0\ntrailer\n<</Size 11/Root 1 0 R%s/Prev %d/XRefStm %d>>\nstartxref\n%d\n%%%%EOF\n" % (identity, main, at[8], update))
sys.stdout.buffer.write(b"".join(parts))
