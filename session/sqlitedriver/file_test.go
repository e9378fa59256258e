package sqlitedriver

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func TestFilesAreTheOwnersOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing there")
	}

	dir := t.TempDir()
	p := openFile(t, dir)
	mustRun(t, newWriter(t, p), statement("CREATE TABLE t (x)"))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v, want the database, its log and its index", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has the mode %v, %v", file, info.Mode(), err)
		}
	}
}

func TestExistingFileKeepsItsModeAndRows(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	first := openFile(t, dir)
	mustRun(t, newWriter(t, first), statement("CREATE TABLE t (x)"), statement("INSERT INTO t VALUES (7)"))
	if err := os.Chmod(filepath.Join(dir, "test.db"), 0o640); err != nil {
		t.Fatal(err)
	}
	second := openFile(t, dir)
	if got := one(t, acquire(t, second, driver.Read), "SELECT x FROM t"); got != value.OfInt(7) {
		t.Errorf("x is %v", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "test.db")); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestMemoryIsPrivateAndRemoved(t *testing.T) {
	t.Parallel()

	a, b := openURL(t, "sqlite:///:memory:"), openURL(t, "sqlite+aiosqlite:///:memory:")
	if a.dir == b.dir {
		t.Fatal("two private databases share a directory")
	}
	conn := newWriter(t, a)
	mustRun(t, conn, statement("CREATE TABLE t (x)"))
	if got := one(t, acquire(t, b, driver.Read), "SELECT count(*) FROM sqlite_schema"); got != value.OfInt(0) {
		t.Errorf("the other database has %v tables", got)
	}
	if info, err := os.Stat(a.dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("the directory has the mode %v, %v", info.Mode(), err)
	}
	conn.Release()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()

	other := sql.OpenDB(strange{})
	defer other.Close()
	for name, cfg := range map[string]driver.Config{
		"a bad URL":              {URL: "sqlite://host/x.db"},
		"a directory":            {URL: "sqlite:///" + filepath.Join(t.TempDir(), "missing", "x.db")},
		"something to adopt":     {Adopt: 42},
		"nil to adopt":           {Adopt: (*sql.DB)(nil)},
		"another driver's pools": {Adopt: other},
	} {
		p, err := New().Open(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: opened %v", name, p)
			continue
		}
		wantKind(t, err, fault.Misconfigured)
	}
}

func TestPragmas(t *testing.T) {
	t.Parallel()

	p := openFile(t, t.TempDir())
	for access, readonly := range map[driver.Access]int64{driver.Read: 1, driver.Write: 0} {
		conn := acquire(t, p, access)
		for pragma, want := range map[string]value.Value{
			"journal_mode": value.OfText("wal"), "synchronous": value.OfInt(2), "foreign_keys": value.OfInt(1),
			"busy_timeout": value.OfInt(10000), "query_only": value.OfInt(readonly),
		} {
			if got := one(t, conn, "PRAGMA "+pragma); got != want {
				t.Errorf("%s is %v on %v, want %v", pragma, got, access, want)
			}
		}
		wantKind(t, conn.Run(t.Context(), script(query(`SELECT "no column"`)), driver.Discard), fault.Internal)
	}
}

func TestReaderRefusesToWrite(t *testing.T) {
	t.Parallel()

	p := openFile(t, t.TempDir())
	mustRun(t, newWriter(t, p), statement("CREATE TABLE t (x)"))
	reader := acquire(t, p, driver.Read)
	insert := statement("INSERT INTO t VALUES (1)")
	wantKind(t, reader.Run(t.Context(), script(insert), driver.Discard), fault.ReadOnly)
	wantKind(t, reader.Run(t.Context(), beginning(driver.TxOptions{}, insert), driver.Discard), fault.ReadOnly)
	if got := one(t, reader, "SELECT count(*) FROM t"); got != value.OfInt(0) {
		t.Errorf("%v rows", got)
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()

	owner, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "own.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	p, err := New().Open(t.Context(), driver.Config{Adopt: owner})
	if err != nil {
		t.Fatal(err)
	}
	conn := newWriter(t, p)
	mustRun(t, conn, statement("CREATE TABLE t (x)"))
	err = conn.Run(t.Context(), beginning(driver.TxOptions{}, statement("INSERT INTO t VALUES (urutu_fold('Ä'))")), driver.Discard)
	if err != nil {
		t.Fatal(err)
	}
	reader := acquire(t, p, driver.Read)
	if got := one(t, reader, "SELECT count(*) FROM t"); got != value.OfInt(0) {
		t.Errorf("a reader sees %v uncommitted rows", got)
	}
	if err := conn.Run(t.Context(), &driver.Script{End: driver.Commit}, driver.Discard); err != nil {
		t.Fatal(err)
	}
	wantKind(t, conn.Run(t.Context(), beginning(driver.TxOptions{ReadOnly: true}, statement("DELETE FROM t")),
		driver.Discard), fault.ReadOnly)
	if got := one(t, reader, "SELECT x FROM t"); got != value.OfText("ä") {
		t.Errorf("x is %v", got)
	}
	if got := p.Stats().InUse; got != 2 {
		t.Errorf("%d connections in use", got)
	}
	conn.Release()
	reader.Release()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := owner.PingContext(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("the adopted pool was closed: %v", err)
	}
}
