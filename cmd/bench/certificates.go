package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// certificates measures how many are sent a second, and whether they are
// valid.
func (b *bench) certificates() measure {
	const connections = 32
	all := b.able([]contestant{
		{name: homepage, kind: b.kinds.home},
		{name: nginxSubFilter, kind: b.kinds.nginx},
		{name: "Django, replace", kind: b.kinds.django},
	})
	figures, verdicts := map[string]*loads{}, map[string]string{}
	var steps []step
	if b.tools.wrk != "" {
		steps = b.rounds(b.plan.certRounds, "certificates", all, func(ctx context.Context, c contestant, s *side) error {
			got, err := b.wrk(ctx, s.url+"/certificate", connections, b.plan.load)
			if err != nil {
				return err
			}
			addLoad(figures, c.name, got)
			return nil
		})
	}
	if b.tools.qpdf != "" {
		steps = append(steps, b.rounds(1, "qpdf --check", all, func(ctx context.Context, c contestant, s *side) (err error) {
			verdicts[c.name], err = b.check(ctx, s)
			return err
		})...)
	}
	perSecond := func(name string) figure {
		if got := figures[name]; got != nil {
			return got.perSecond
		}
		return nil
	}
	return measure{steps, func(r *report) {
		t := table{
			title: "Certificates",
			note:  "32 connections, one template for all: hand-written, with its placeholder in plain bytes, since nginx and Django would find no other. The verdict is that of `qpdf --check` on what the side sent.",
			head:  []string{"", "certificates a second", "99 % within, ms", "a second: homepage ÷ this", "the PDF is"},
		}
		c := chart{
			file:  "certificates",
			title: "Certificates a second, 32 connections",
			desc:  "Certificates a second, and what qpdf says of them; more is better.",
		}
		for _, one := range all {
			got, verdict := figures[one.name], verdicts[one.name]
			if verdict == "" {
				verdict = none
			}
			if got == nil {
				t.add(one.name, none, none, none, verdict)
				continue
			}
			more := ""
			if home := figures[homepage]; home != nil && one.name != homepage {
				more = ratio(home.perSecond, got.perSecond).times()
			}
			t.add(one.name, got.perSecond.String(), got.p99.String(), more, verdict)
			c.add(one.name, got.perSecond.median(), 0, number(got.perSecond.median())+", "+verdict)
		}
		r.tables, r.charts = append(r.tables, t), append(r.charts, c)
		r.summary.certificates = summarizeCertificates(perSecond(homepage), perSecond(nginxSubFilter), verdicts[homepage], verdicts[nginxSubFilter])
	}}
}

// check lets qpdf judge a certificate that the side sends.
func (b *bench) check(ctx context.Context, s *side) (verdict string, err error) {
	body, err := get(ctx, s.url+"/certificate")
	if err != nil {
		return "", err
	}
	file := filepath.Join(filepath.Dir(s.uploads), "certificate.pdf")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return "", err
	}
	err = exec.CommandContext(ctx, b.tools.qpdf, "--check", file).Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		// qpdf(1): 2 is for errors, 3 for warnings, such as damage it repairs.
		if exit.ExitCode() == 2 || exit.ExitCode() == 3 {
			return "damaged", nil
		}
	}
	if err != nil {
		return "", err
	}
	return "valid", nil
}
