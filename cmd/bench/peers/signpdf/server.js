// Stamps and signs a certificate for each request, as sites do with @signpdf: the
// placeholder is replaced in the template's bytes, then comes the signature.
import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { plainAddPlaceholder } from "@signpdf/placeholder-plain";
import { P12Signer } from "@signpdf/signer-p12";
import { SignPdf } from "@signpdf/signpdf";

const [host, port] = process.env.ADDR.split(":");

if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork();
} else {
  const template = readFileSync(process.env.CERTIFICATE_TEMPLATE, "latin1");
  const p12 = readFileSync(process.env.SIGNING_P12);
  createServer(async (request, response) => {
    if (request.url !== "/certificate") {
      response.end("signpdf\n");
      return;
    }
    const stamped = Buffer.from(template.replace("%timestamp%", new Date().toISOString().slice(0, 11)), "latin1");
    const signingTime = new Date();
    const pdfBuffer = plainAddPlaceholder({
      pdfBuffer: stamped, reason: "Issued", contactInfo: "", name: "", location: "", signingTime, subFilter: "ETSI.CAdES.detached",
    });
    const signed = await new SignPdf().sign(pdfBuffer, new P12Signer(p12), signingTime); // a signer signs once
    response.writeHead(200, { "Content-Type": "application/pdf", "Content-Length": signed.length });
    response.end(signed);
  }).listen(port, host);
}
