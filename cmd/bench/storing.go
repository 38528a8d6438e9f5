package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const bucket = "uploads" // the folder that every side has for them

// sender puts files into the store.
type sender struct {
	name   string
	prefix string // of what it stores, in the bucket
	// send returns when all is stored, with the most memory that was resident
	// meanwhile, or zero where that can't be known.
	send func(context.Context, batch) (peak float64, err error)
}

// batch is files that are stored together.
type batch struct {
	what        string
	rounds      int
	files       int
	size        int64 // bytes of each
	connections int   // on which the homepage gets them
	folder      string
}

func (c batch) String() string {
	if c.files == 1 {
		return bytesText(float64(c.size))
	}
	return fmt.Sprintf("%d files of %s", c.files, bytesText(float64(c.size)))
}

// storing measures files sent into an object store, by the homepage's form and
// by what people copy folders into such a store with. The store runs only
// meanwhile, and so does a homepage that uses it.
func (b *bench) storing() measure {
	batches := []batch{
		{"small files", b.plan.rounds, b.plan.smallFiles, b.plan.smallUpload, 6, filepath.Join(b.folder, "small-files")},
		{"one file", b.plan.storeRounds, 1, b.plan.bigUpload, 1, filepath.Join(b.folder, "one-file")},
	}
	var store, home *side
	senders := []sender{{homepage, "site/files", func(ctx context.Context, c batch) (float64, error) {
		home.resetPeak()
		err := home.send(ctx, c.files, c.size, c.connections)
		used, _ := home.usage()
		return used.peak, err
	}}}
	copying := func(name string, command func(c batch, prefix string) []string) {
		prefix := "copied-" + strconv.Itoa(len(senders))
		senders = append(senders, sender{name, prefix, func(ctx context.Context, c batch) (float64, error) {
			return b.runTool(ctx, storeEnv(store.url), command(c, prefix)...)
		}})
	}
	if b.tools.aws != "" {
		copying("aws s3 cp", func(c batch, prefix string) []string {
			return []string{b.tools.aws, "s3", "cp", "--recursive", "--only-show-errors", "--endpoint-url", store.url, c.folder, "s3://" + bucket + "/" + prefix}
		})
	}
	if b.tools.rclone != "" {
		copying("rclone copy", func(c batch, prefix string) []string {
			// versitygw does not answer Expect: 100-continue (RFC 9110, section
			// 10.1.1), so with each part rclone would wait a second in vain.
			return []string{b.tools.rclone, "copy", "--expect-continue-timeout", "0", c.folder, "store:" + bucket + "/" + prefix}
		})
	}
	type key struct{ sender, batch string }
	took, peak := map[key]figure{}, map[key]float64{}
	var steps []step
	if b.tools.versitygw != "" {
		steps = append(steps, step{"start of the object store", func(ctx context.Context) (err error) {
			for _, c := range batches {
				if err := c.write(); err != nil {
					return err
				}
			}
			if store, _, err = b.launch(ctx, &kind{name: "versitygw", command: storeCommand}); err != nil {
				return err
			}
			home, _, err = b.launch(ctx, &kind{name: homepage, form: true, command: homepageCommand("", append(storeEnv(store.url), "UPLOADS=s3://"+bucket+"/site")...)})
			return err
		}})
		for _, c := range batches {
			for round := range c.rounds {
				for _, s := range senders {
					steps = append(steps, step{fmt.Sprintf("%s into an object store, round %d of %d: %s", c.what, round+1, c.rounds, s.name), func(ctx context.Context) error {
						if home == nil {
							return nil // why was said when it did not start
						}
						seconds, used, err := fill(ctx, store, s, c)
						home.settle(ctx)
						store.settle(ctx)
						if err != nil {
							return err
						}
						k := key{s.name, c.what}
						took[k], peak[k] = append(took[k], seconds), max(peak[k], used)
						return nil
					}})
				}
			}
		}
		steps = append(steps, step{"end of the object store", func(context.Context) (err error) {
			for _, s := range []*side{home, store} {
				if s != nil {
					s.stop()
				}
			}
			for _, c := range batches {
				err = errors.Join(err, os.RemoveAll(c.folder))
			}
			return err
		}})
	}
	return measure{steps, func(r *report) {
		t := table{
			title: "Uploads into an object store",
			note: fmt.Sprintf("Into versitygw, on a folder of the same disk. The homepage gets %v in one request each, %d at once, or %v in one request, in rounds: %d. "+
				"`aws s3 cp --recursive` and `rclone copy` run once for a folder of the same files, and decide themselves how much to send at once; "+
				"rclone has `--expect-continue-timeout 0`, as versitygw does not send the 100 that it would wait a second for with each part. "+
				"Seconds until all is answered, or until the tool has ended, its start included. "+
				"The homepage does more: it reads forms that come over HTTP, from a sender on the same cores; it takes the digests for the receipts; and it writes a record of each form, without which nothing of it is visible. "+
				"versitygw syncs nothing, so that nobody knows when any of this is on the disk. Memory is the most that was resident of the homepage or the tool, the store’s not included.",
				batches[0], batches[0].connections, batches[1], batches[1].rounds),
			head: []string{""},
		}
		for _, c := range batches {
			t.head = append(t.head, c.String()+", s", "this ÷ homepage", "memory, MiB")
		}
		for _, s := range senders {
			row := []string{s.name}
			for _, c := range batches {
				k := key{s.name, c.what}
				row = append(row, took[k].String(), beside(s.name, took[k], took[key{homepage, c.what}]), mebibytes(peak[k]))
			}
			if len(steps) > 0 {
				t.add(row...)
			}
		}
		r.tables = append(r.tables, t)
	}}
}

// fill lets a sender fill the store, looks whether all is there, and removes
// it.
func fill(ctx context.Context, store *side, from sender, c batch) (seconds, peak float64, err error) {
	// The store joins the parts of a large file by copying them.
	if err := room(store.uploads, 4*int64(c.files)*c.size); err != nil {
		return 0, 0, err
	}
	if err := warm(filepath.Dir(c.folder), int64(c.files)*c.size); err != nil {
		return 0, 0, err
	}
	syscall.Sync() // what others wrote is no business of this one
	begin := time.Now()
	peak, err = from.send(ctx, c)
	seconds = time.Since(begin).Seconds()
	folder := filepath.Join(store.uploads, from.prefix)
	if err == nil {
		err = storedWhole(folder, c.files, c.size)
	}
	return seconds, peak, errors.Join(err, os.RemoveAll(folder))
}

// storeCommand runs versitygw on the folder of the side, where it takes the
// folder of uploads for a bucket. It answers at / as the other sides do.
func storeCommand(b *bench, folder, addr, _ string) (command, env []string, err error) {
	return []string{b.tools.versitygw, "--port", addr, "--health", "/", "--quiet", "--keep-alive", "posix", folder},
		[]string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey}, nil
}

const accessKey, secretKey = "bench", "not-so-secret"

// storeEnv leads to the store at the URL. Nothing that the user has set for
// another one counts.
func storeEnv(url string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + url, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
		"AWS_SESSION_TOKEN=", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_CA_BUNDLE=", // with one, rclone 1.60 does not start
		"RCLONE_CONFIG=" + os.DevNull, "RCLONE_CONFIG_STORE_TYPE=s3", "RCLONE_CONFIG_STORE_PROVIDER=Other", "RCLONE_CONFIG_STORE_ENV_AUTH=true", "RCLONE_CONFIG_STORE_ENDPOINT=" + url,
	}
}

// write puts the files where the tools read them.
func (c batch) write() error {
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return err
	}
	block := randomBlock()
	for i := range c.files {
		file, err := os.Create(filepath.Join(c.folder, fileName(i)))
		if err != nil {
			return err
		}
		_, err = io.CopyN(file, &repeated{block: block}, c.size)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// runTool runs a program until it ends, and tells the most memory that was
// resident, as far as ten looks a second show it.
func (b *bench) runTool(ctx context.Context, env []string, command ...string) (peak float64, err error) {
	folder, err := os.MkdirTemp(b.folder, "tool-")
	if err != nil {
		return 0, err
	}
	tool, err := start(ctx, folder, env, command...)
	if err != nil {
		return 0, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			used, _ := tool.usage() // zero where memory can't be known
			peak = max(peak, used.peak)
		case <-tool.ended:
			if tool.err != nil {
				return peak, fmt.Errorf("%w: %s", tool.err, tool.lastWords())
			}
			return peak, nil
		}
	}
}
