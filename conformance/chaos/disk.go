//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Disk is a small file system of the rig's own, which it can fill.
type Disk struct{ dir string }

// ErrNoDisk says that this process may not mount a file system.
var ErrNoDisk = errors.New("a file system of the rig's own cannot be mounted here")

// diskSize is enough for some hours.
const diskSize = "2g"

// NewDisk mounts a file system in a directory of its own.
func NewDisk(ctx context.Context) (*Disk, error) {
	dir, err := os.MkdirTemp("", "urutu-chaos-disk-")
	if err != nil {
		return nil, err
	}
	mount := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size="+diskSize, "tmpfs", dir) //nolint:gosec // a directory of its own
	if said, err := mount.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w: %s", ErrNoDisk, err, said), os.Remove(dir))
	}
	return &Disk{dir}, nil
}

// Dir is where it is mounted.
func (d *Disk) Dir() string { return d.dir }

func (d *Disk) filler() string { return filepath.Join(d.dir, "filler") }

// Fill takes all the room that there is.
func (d *Disk) Fill() error {
	file, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return file.Close()
}

// Free gives the room back.
func (d *Disk) Free() error { return os.Remove(d.filler()) }

// Close removes it.
func (d *Disk) Close() error {
	if said, err := exec.Command("umount", d.dir).CombinedOutput(); err != nil { //nolint:gosec,noctx // it must go
		return fmt.Errorf("umount: %w: %s", err, said)
	}
	return os.Remove(d.dir)
}

// fullDisk leaves no room for a while.
func (r *Rig) fullDisk(_ context.Context, name string) {
	pause := time.Second + rand.N(3*time.Second)
	if !r.full.CompareAndSwap(false, true) {
		return
	}
	if err := r.cfg.Disk.Fill(); err != nil {
		r.wrong("the disk cannot be filled: %v", err)
		return
	}
	r.note(name, "for %v", pause)
	r.meanwhile(func() {
		time.Sleep(pause)
		if err := r.cfg.Disk.Free(); err != nil {
			r.wrong("the disk cannot be emptied: %v", err)
		}
		r.full.Store(false)
	})
}
