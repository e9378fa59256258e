package outbox

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

const envKilled = "URUTU_TEST_KILLED"

// TestKilledChild is the process that is killed, where another test has started it: it publishes, or handles, for ever. It
// prints what it has committed, or what it is about to handle: then it waits for a byte, so that it never runs out of work.
func TestKilledChild(t *testing.T) {
	role, url, _ := strings.Cut(os.Getenv(envKilled), " ")
	switch role {
	case "publisher":
		for db, n := openAt(t, url), 0; ; n++ {
			publishOne(t, db, fmt.Sprint("k", n%5, "n", n))
		}
	case "worker":
		var mu sync.Mutex
		goOn := make(chan struct{})
		e := ledger(openAt(t, url), brisk(), func(text string) {
			mu.Lock()
			defer mu.Unlock()
			say(text)
			<-goOn
		})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for in := bufio.NewReader(os.Stdin); ; goOn <- struct{}{} {
			if _, err := in.ReadByte(); err != nil {
				os.Exit(1) // the parent is gone
			}
		}
	}
}

// say tells the parent. Where that is gone, this process ends too.
func say(text string) {
	if _, err := fmt.Println(text); err != nil {
		os.Exit(1)
	}
}

// publishOne publishes a message with a row, in one unit, and says so when it has committed.
func publishOne(t *testing.T, db *session.DB, text string) {
	urututest.Do(t, db, func(ctx context.Context) error {
		if _, err := session.From(ctx).ExecContext(ctx, "INSERT INTO written (text) VALUES ('"+text+"')"); err != nil {
			return err
		}
		return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: text[:2], Payload: []byte(text)})
	})
	say(text)
}

// killAfter starts a process, kills it once it has said n lines, and returns all that it has said.
func killAfter(t *testing.T, role, url string, n int) (said []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$") //nolint:gosec // it is this program, and is killed
	cmd.Env = append(os.Environ(), envKilled+"="+role+" "+url)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if len(said) > n {
			continue // it was quicker than its end
		}
		if _, err := in.Write([]byte{'\n'}); err != nil {
			t.Error(err)
		}
		if len(said) < n {
			continue
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err == nil || len(said) < n {
		t.Fatalf("the %s ended by itself, after %q: %v", role, said, err)
	}
	return said
}

// TestPromise40_KilledWhilePublishingAndHandling: the publisher is killed with -9, and then two workers. What the publisher
// was told is committed is there, and each message that is there is handled once, in the order of its key.
func TestPromise40_KilledWhilePublishingAndHandling(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]urututest.Database{"sqlite": urututest.InSQLite, "postgres": urututest.InPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, db := ledgerAt(t, database, "written", "handled")
			committed := killAfter(t, "publisher", url, 40)
			written := strings.Fields(askFor(t, db, "SELECT text FROM written"))
			for _, text := range committed {
				if !slices.Contains(written, text) {
					t.Errorf("%s is lost, which was committed", text)
				}
			}
			killAfter(t, "worker", url, 5)
			killAfter(t, "worker", url, 12)
			last := ledger(db, brisk(), func(string) {})
			if err := last.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			await(t, "all is handled", func() bool { return askFor(t, db, "SELECT topic FROM urutu_message LIMIT 1") == "" })
			if err := last.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			for key := range 5 {
				checkKilled(t, db, fmt.Sprint("k", key))
			}
		})
	}
}

// checkKilled checks that what was written of a key was handled, in order.
func checkKilled(t *testing.T, db *session.DB, key string) {
	t.Helper()
	of := func(table string) string {
		return askFor(t, db, "SELECT text FROM "+table+" WHERE text LIKE '"+key+"n%' ORDER BY n")
	}
	if written, handled := of("written"), of("handled"); handled != written {
		t.Errorf("of %s were written\n%s\nand handled\n%s", key, written, handled)
	}
}
