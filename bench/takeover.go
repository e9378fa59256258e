package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// doomed is the environment variable that makes of this program a worker that is going to be killed. It has the URL.
const doomed = "URUTU_BENCH_DOOMED"

// serve handles messages until it is killed, or nobody holds its standard input any more.
func serve(ctx context.Context, url string) error {
	d := &desk{}
	close(d.open(0, true).gate)
	q, err := openUrutuQueue(ctx, url, d)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	return q.Close()
}

// measureTakeovers kills a process that has half of the lanes, and measures until another one has handled messages of
// all of them.
func measureTakeovers(ctx context.Context, l *load, db *database) (t table, err error) {
	if err := db.addSchema(ctx, "takeover"); err != nil {
		return t, err
	}
	url := db.url("takeover", true)
	d := &desk{}
	close(d.open(0, true).gate)
	q, err := openUrutuQueue(ctx, url, d)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	worst := time.Duration(0)
	for i := range l.kills {
		l.say("takeover %d", i+1)
		took, err := takeover(ctx, db, url, q, d)
		if err != nil {
			return t, err
		}
		worst = max(worst, took)
	}
	return table{
		Title: "A process is killed (SIGKILL)", Columns: []string{"until the last message of its lanes is in hand elsewhere"},
		Rows: []row{{
			Name: fmt.Sprintf("the slowest of %d kills", l.kills), Figures: []string{duration(worst)},
			Goals: []goal{atMost("≤ %s s", worst.Seconds(), 6)},
		}},
	}, nil
}

func takeover(ctx context.Context, db *database, url string, q queue, d *desk) (took time.Duration, err error) {
	kill, err := spawn(ctx, url)
	if err != nil {
		return 0, err
	}
	err = shared(ctx, db)
	begin := time.Now()
	kill()
	if err != nil {
		return 0, err
	}
	const n = 1024 // keys enough for every lane
	t := d.open(n, true)
	close(t.gate)
	list := welcomes(n, db.customer)
	for i := range list {
		list[i].Key = fmt.Sprint("key ", i)
	}
	if err := q.Fill(ctx, list); err != nil {
		return 0, err
	}
	if err := t.wait(ctx); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}

// spawn starts a process that handles messages, and returns what kills it.
func spawn(ctx context.Context, url string) (kill func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env, cmd.Stderr = append(os.Environ(), doomed+"="+url), os.Stderr
	in, err := cmd.StdinPipe() // the process ends with this one
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = in.Close()
		_ = cmd.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		kill()
		return nil, fmt.Errorf("the process says %q: %w", line, err)
	}
	return kill, nil
}

// shared waits until two processes have half of the lanes each.
func shared(ctx context.Context, db *database) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		var even bool
		err := db.conn.QueryRow(ctx, `SELECT count(*) = 2 AND min(n) = max(n) FROM
			(SELECT count(*) AS n FROM urutu_message_lane l JOIN urutu_message_lease e ON e.dest = l.dest AND e.lane = l.lane
				WHERE e.until > 0 GROUP BY l.owner) AS o`).Scan(&even)
		if even || err != nil {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("two processes do not share the lanes")
		}
	}
}
