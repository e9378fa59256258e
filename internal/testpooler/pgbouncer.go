package testpooler

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/internal/testdb"
)

// patience bounds the wait for the program to take connections.
const patience = 10 * time.Second

// Start returns the URL that leads to the database at the URL direct through a PgBouncer, which runs until the test ends.
func Start(t testing.TB, direct string) string {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal("testpooler: the database's URL is not one")
	}
	if running := os.Getenv("URUTU_TEST_PGBOUNCER"); running != "" {
		r, err := url.Parse(running)
		if err != nil || r.Host == "" {
			t.Fatal("URUTU_TEST_PGBOUNCER is not a URL")
		}
		u.Host = r.Host
		return u.String()
	}
	program, err := find()
	if err != nil {
		testdb.Missing(t, "PgBouncer", err)
	}
	u.Host = run(t, program, u)
	return u.String()
}

// find returns the path of the program. Debian's is in a directory that only root has in its PATH.
func find() (string, error) {
	path, err := exec.LookPath("pgbouncer")
	if err == nil {
		return path, nil
	}
	if debian, debianErr := exec.LookPath("/usr/sbin/pgbouncer"); debianErr == nil {
		return debian, nil
	}
	return "", err
}

// run starts the program in front of a server and returns the address where it listens.
func run(t testing.TB, program string, server *url.URL) (addr string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "urutu-pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	options := keepNothing(t, program)
	var said string
	for range 5 { // the port may be taken by somebody else before the program has it
		addr = freeAddress(t)
		if said = attempt(t, program, addr, configure(t, dir, addr, server, options)); said == "" {
			return addr
		}
	}
	t.Fatalf("PgBouncer does not start: %s", said)
	return ""
}

// keepNothing returns the options that have a version keep no prepared statements, where it would.
func keepNothing(t testing.TB, program string) string {
	t.Helper()
	said, err := exec.Command(program, "--version").Output() //nolint:gosec,noctx // it prints a line
	var major, minor int
	if _, scanErr := fmt.Sscanf(string(said), "PgBouncer %d.%d", &major, &minor); err != nil || scanErr != nil {
		t.Fatalf("testpooler: %s is no PgBouncer: %q", program, said)
	}
	if major == 1 && minor < 21 {
		return ""
	}
	return "max_prepared_statements = 0\n"
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// attempt starts the program once. Where it does not come up, it returns what the program said.
func attempt(t testing.TB, program, addr, ini string) (said string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, ini) //nolint:gosec,noctx // the program is PgBouncer, and lives as long as the test
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := unprivileged(cmd, filepath.Dir(ini)); err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// Where the kernel kills the program with its parent, that is the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	stop := func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	if listens(addr, ended) {
		t.Cleanup(func() {
			stop()
			if t.Failed() {
				t.Logf("PgBouncer said:\n%s", log.String())
			}
		})
		return ""
	}
	stop()
	return cmp.Or(log.String(), "nothing was said")
}

// configure writes the program's files and returns the path of the one that it is started with.
func configure(t testing.TB, dir, addr string, server *url.URL, options string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	quote := func(s, mark string) string { return mark + strings.ReplaceAll(s, mark, mark+mark) + mark }
	password, _ := server.User.Password()
	users, ini := filepath.Join(dir, "users.txt"), filepath.Join(dir, "pgbouncer.ini")
	for path, text := range map[string]string{
		users: quote(server.User.Username(), `"`) + " " + quote(password, `"`) + "\n",
		ini: fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
%s`, quote(server.Hostname(), "'"), cmp.Or(server.Port(), "5432"), host, port, users, options),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ini
}

// listens waits until the address takes connections, and reports whether it does.
func listens(addr string, ended <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		select {
		case <-ended:
			return false // whoever answered is not ours
		default:
		}
		if err == nil {
			return true
		}
		select {
		case <-tick.C:
		case <-ended:
		case <-ctx.Done():
			return false
		}
	}
}
