//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a PostgreSQL server of the rig's own, which it can let fall.
type Cluster struct {
	bin, dir string
	port     int
	owner    *syscall.Credential // whom it runs as; nil for this process's user

	mu     sync.Mutex // protects what follows
	server *exec.Cmd
	done   chan struct{}
}

// ErrNoServer says that PostgreSQL's programs are not installed.
var ErrNoServer = errors.New("PostgreSQL's programs are not on this machine")

// NewCluster makes a cluster in a directory of its own and starts its server.
func NewCluster(ctx context.Context) (*Cluster, error) {
	c := &Cluster{bin: programs(ctx)}
	if c.bin == "" {
		return nil, ErrNoServer
	}
	dir, err := os.MkdirTemp("", "urutu-chaos-postgres-")
	if err != nil {
		return nil, err
	}
	c.dir = dir
	if err := c.create(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.Start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// programs returns the directory of PostgreSQL's programs: where pg_config says, or the newest of Debian's.
func programs(ctx context.Context) string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is right
	for i := range debian {
		dirs = append(dirs, debian[len(debian)-1-i])
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir
		}
	}
	return ""
}

func (c *Cluster) create(ctx context.Context) error {
	if err := c.unprivileged(); err != nil {
		return err
	}
	// With the environment of its server it speaks German: nothing may depend on what it says.
	initdb := c.command(ctx, "initdb", "-D", c.data(), "-U", "urutu", "-A", "trust", "-E", "UTF8", "--locale=C", "--lc-messages=C.UTF-8", "-N")
	if said, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, said)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.port = l.Addr().(*net.TCPAddr).Port
	return l.Close()
}

// unprivileged finds somebody else than root, as whom the server refuses to run, and gives them the directory.
func (c *Cluster) unprivileged() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return err
	}
	c.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, int(uid), int(gid))
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, program), args...) //nolint:gosec // PostgreSQL's
	cmd.Dir = "/"
	cmd.SysProcAttr = orphanless()
	cmd.SysProcAttr.Credential = c.owner
	return cmd
}

// Start starts the server and waits until it answers.
func (c *Cluster) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own
	c.server = c.command(context.WithoutCancel(ctx), "postgres", "-D", c.data(), "-p", strconv.Itoa(c.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=150", "-c", "shared_buffers=64MB",
		"-c", "track_commit_timestamp=on")
	c.server.Env = append(os.Environ(), "LANGUAGE=de")
	c.server.Stdout, c.server.Stderr = log, log
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the kernel kills the server with the thread that started it
		defer close(done)
		err := c.server.Start()
		started <- err
		if err == nil {
			_ = c.server.Wait() // it is let fall
		}
	}()
	c.done = done
	if err := <-started; err != nil {
		return err
	}
	return c.answers(ctx)
}

// answers waits until the server lets somebody in.
func (c *Cluster) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-c.done:
			return fmt.Errorf("the server has ended: %s", tail(filepath.Join(c.dir, "log")))
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Fall ends the server in immediate mode: as if it had crashed.
func (c *Cluster) Fall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.server.Process.Signal(syscall.SIGQUIT) // it may be gone
	<-c.done
}

// URL is the address of its database.
func (c *Cluster) URL() string {
	return fmt.Sprintf("postgres://urutu@127.0.0.1:%d/postgres?sslmode=disable", c.port)
}

// Close ends the server and removes its files.
func (c *Cluster) Close() error {
	if c.server != nil {
		c.Fall()
	}
	return os.RemoveAll(c.dir)
}

// KeepOn has the tables that are made from now on kept on a disk, in the database that it begins with.
func (c *Cluster) KeepOn(ctx context.Context, d *Disk) error {
	dir := filepath.Join(d.Dir(), "tables")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if c.owner != nil {
		if err := os.Chown(dir, int(c.owner.Uid), int(c.owner.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(d.Dir(), 0o755); err != nil { //nolint:gosec // the server is somebody else
		return err
	}
	conn, err := pgx.Connect(ctx, c.URL())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE TABLESPACE small LOCATION '"+dir+"'")
	if err == nil {
		_, err = conn.Exec(ctx, "ALTER DATABASE postgres SET default_tablespace = small")
	}
	return errors.Join(err, conn.Close(ctx))
}
