package wireproxy

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// echo starts a server that sends back what it gets, and returns its address.
func echo(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().String()
}

// dial connects through the proxy until the test ends.
func dial(t testing.TB, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// exchange sends b and reads as much.
func exchange(t testing.TB, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, len(b))); err != nil {
		t.Fatal(err)
	}
}

// Nothing arrives before its time. How late it is depends on the machine, and is printed.
func TestDelayIsNeverShort(t *testing.T) {
	p := Start(t, echo(t))
	c := dial(t, p)
	b := make([]byte, 100)
	for _, d := range []time.Duration{0, 50 * time.Microsecond, 200 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
		p.SetDelay(d)
		n := 200
		over := make([]time.Duration, n)
		for i := range over {
			start := time.Now()
			exchange(t, c, b)
			over[i] = time.Since(start) - 2*d
			if over[i] < 0 {
				t.Fatalf("two ways of %v took %v too little", d, -over[i])
			}
		}
		slices.Sort(over)
		t.Logf("two ways of %8v: later by %v (median), %v (p99)", d, over[n/2], over[n*99/100])
	}
}

// The delay is that of each byte, and not the time between two: what is sent at once arrives at once.
func TestDelayKeepsThePipelineFull(t *testing.T) {
	t.Parallel()
	p := Start(t, echo(t))
	c := dial(t, p)
	const d, pieces = 100 * time.Millisecond, 20
	arrived := make(chan struct{}, pieces)
	p.OnSent(func([]byte) Verdict { arrived <- struct{}{}; return Pass })
	p.SetDelay(d)
	start := time.Now()
	for i := range pieces {
		if _, err := c.Write(bytes.Repeat([]byte{byte(i)}, 1000)); err != nil {
			t.Fatal(err)
		}
		<-arrived // so that each is a piece of its own
	}
	got := make([]byte, pieces*1000)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*d || took > pieces/2*d {
		t.Errorf("%d pieces took %v", pieces, took)
	}
	for i := range pieces {
		if got[i*1000] != byte(i) {
			t.Fatalf("piece %d came out of order", i)
		}
	}
}

// What is under way when the delay is taken away still comes first.
func TestDelayKeepsTheOrder(t *testing.T) {
	t.Parallel()
	p := Start(t, echo(t))
	c := dial(t, p)
	exchange(t, c, []byte("hello"))
	p.SetDelay(30 * time.Millisecond)
	arrived := make(chan struct{})
	p.OnSent(func([]byte) Verdict { close(arrived); p.OnSent(nil); return Pass })
	if _, err := c.Write([]byte("first ")); err != nil {
		t.Fatal(err)
	}
	<-arrived
	// The proxy has read the first piece, and reads the delay before it asks what to do with it.
	p.SetDelay(0)
	if _, err := c.Write([]byte("second")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("first second"))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "first second" {
		t.Fatalf("%q, %v", got, err)
	}
}

// A megabyte with a delay of a millisecond takes milliseconds, not one for each piece of it.
func BenchmarkDelay(b *testing.B) {
	for _, d := range []time.Duration{0, 200 * time.Microsecond, time.Millisecond} {
		b.Run(d.String(), func(b *testing.B) {
			p := Start(b, echo(b))
			c := dial(b, p)
			p.SetDelay(d)
			msg := make([]byte, 200)
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, c, msg)
			}
		})
	}
}
