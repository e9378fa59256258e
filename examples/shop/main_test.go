//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/urututest"
)

// variable is set where this program is to be the shop.
const variable = "URUTU_SHOP_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(variable) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// process is the shop in a process of its own.
type process struct {
	*testing.T
	cmd  *exec.Cmd
	said *buffer
	done chan error
}

// buffer is what a process says.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

// start starts a process, which ends with the test at the latest.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t, exec.Command(program, args...), &buffer{}, make(chan error, 1)} //nolint:gosec // this program; stop ends it
	p.cmd.Env = append(os.Environ(), variable+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(p.stop)
	return p
}

// wait returns the exit code of a process that ends by itself, or was told to.
func (p *process) wait() int {
	p.Helper()
	select {
	case err := <-p.done:
		p.done <- err
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.Fatal(err)
		}
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		p.Fatalf("it does not end:\n%s", p.said.text())
		return -1
	}
}

// stop tells a process that serves to end, as a service manager does. A second stop does nothing.
func (p *process) stop() {
	p.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	if code := p.wait(); code != 0 && p.Failed() {
		p.Logf("it ended with %d:\n%s", code, p.said.text())
	}
}

// site is where a shop is served.
type site struct {
	*testing.T
	addr string
}

// newSite finds a port that nobody uses.
func newSite(t *testing.T) site {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return site{t, l.Addr().String()}
}

// call sends a request. The status is 0 where nobody answers.
func (s site) call(method, path string, body any) (status int, answer map[string]any) {
	s.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.Context(), method, "http://"+s.addr+path, bytes.NewReader(data))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	if data, err = io.ReadAll(response.Body); err != nil {
		return 0, nil
	}
	_ = json.Unmarshal(data, &answer) // the page is none
	return response.StatusCode, answer
}

// until asks until it is answered as it wants.
func (s site) until(what string, answered func() bool) {
	s.Helper()
	again, late := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for !answered() {
		select {
		case <-again.C:
		case <-late:
			s.Fatalf("%s never came", what)
		}
	}
}

// made posts something until it is made, and returns its id.
func (s site) made(path string, body any) (id string) {
	s.Helper()
	s.until("an answer of 201 to POST "+path, func() bool {
		status, answer := s.call("POST", path, body)
		id, _ = answer["id"].(string)
		return status == 201
	})
	return id
}

// shelf makes a product, and a user whose orders of it are returned.
func (s site) shelf(email string) (user string, order map[string]any) {
	s.Helper()
	user = s.made("/users", map[string]any{"name": "Ann", "email": email})
	product := s.made("/products", map[string]any{"sku": email, "name": "Thing", "price_cents": 250, "stock": 9})
	return user, map[string]any{"user_id": user, "lines": []any{map[string]any{"product_id": product, "quantity": 1}}}
}

func (s site) status(order string) string {
	s.Helper()
	_, answer := s.call("GET", "/orders/"+order, nil)
	status, _ := answer["status"].(string)
	return status
}

func (s site) becomes(order, status string) {
	s.Helper()
	s.until("the status "+status, func() bool { return s.status(order) == status })
}

// onEach runs a test on a new database of each kind.
func onEach(t *testing.T, fn func(t *testing.T, database string)) {
	t.Parallel()
	for _, d := range urututest.Databases() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			fn(t, urututest.URL(t, d))
		})
	}
}

// command runs a command of the shop's staff in a process of its own, beside those that run.
func command(t *testing.T, database string, args ...string) string {
	t.Helper()
	p := start(t, append([]string{"-db", database}, args...)...)
	if code := p.wait(); code != 0 {
		t.Errorf("%q ends with %d", args, code)
	}
	return p.said.text()
}

// TestOneProcessIsTheWholeShop: without -role it serves and pays. Its staff operate it from another process.
func TestOneProcessIsTheWholeShop(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		s := newSite(t)
		p := start(t, "-db", database, "-addr", s.addr)
		s.until("the page", func() bool { status, _ := s.call("GET", "/", nil); return status == 200 })

		user, order := s.shelf("declined+ann@example.com")
		id := s.made("/orders", order)
		s.becomes(id, "declined")
		s.until("a parked message", func() bool { return strings.Contains(command(t, database, "messages", "list"), "permanent") })
		if status, _ := s.call("PATCH", "/users/"+user, map[string]any{"email": "ann@example.com"}); status != 200 {
			t.Errorf("another email is answered by %d", status)
		}
		if got := command(t, database, "messages", "retry", "-all"); !strings.HasSuffix(got, "1 message tried again\n") {
			t.Errorf("retry says %q", got)
		}
		s.becomes(id, "paid")

		p.stop()
		if code := p.wait(); code != 0 {
			t.Errorf("a stop ends it with %d:\n%s", code, p.said.text())
		}
		if got := command(t, database, "messages", "list", "-state", "any"); !strings.HasSuffix(got, "no messages\n") {
			t.Errorf("what is left is %q", got)
		}
	})
}

// TestRolesAreProcesses: one process takes orders, others pay them, on one database.
func TestRolesAreProcesses(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		s, none := newSite(t), newSite(t)
		start(t, "-db", database, "-addr", s.addr, "-role", "web")
		_, order := s.shelf("ann@example.com")
		if status, _ := s.call("POST", "/orders", order); status == 201 {
			t.Error("an order was placed before anybody has ever charged one")
		}

		worker := start(t, "-db", database, "-addr", none.addr, "-role", "worker")
		s.becomes(s.made("/orders", order), "paid")
		if status, _ := none.call("GET", "/", nil); status != 0 {
			t.Errorf("a worker serves: %d", status)
		}

		worker.stop()
		waiting := s.made("/orders", order)
		if got := command(t, database, "messages", "lag"); !strings.Contains(got, "payments") {
			t.Errorf("the lag is %q", got)
		}
		if got := s.status(waiting); got != "placed" {
			t.Errorf("without a worker an order is %s", got)
		}
		for range 2 {
			start(t, "-db", database, "-role", "worker")
		}
		s.becomes(waiting, "paid")
	})
}

// TestWrongArgumentsAreRefused: the exit code says so too.
func TestWrongArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	database := urututest.URL(t, urututest.InSQLite)
	for want, args := range map[string][]string{
		`-role is web, worker or all, not "clerk"`: {"-role", "clerk"},
		"flag provided but not defined: -port":     {"-port", "80"},
		"messages":                                 {"messages", "burn"},
	} {
		p := start(t, append([]string{"-db", database}, args...)...)
		if code, said := p.wait(), p.said.text(); code == 0 || !strings.Contains(said, want) {
			t.Errorf("%q ends with %d and says %s", args, code, fmt.Sprintf("%.300q", said))
		}
	}
}
