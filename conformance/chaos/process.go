//go:build unix

package chaos

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/urutu-go/urutu/internal/wireproxy"
)

// slot is a place for a process: there is always one in it, until the rig ends. When one dies the next comes.
type slot struct {
	rig   *Rig
	role  string
	index int
	proxy *wireproxy.Proxy // its way to a server; nil for a file

	mu      sync.Mutex    // protects what follows
	number  int           // of incarnations
	ahead   time.Duration // by how much its clock is
	process *process
	ended   bool // no further one comes
}

// process is one incarnation.
type process struct {
	name    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	done    chan struct{} // it has ended
	doomed  bool          // it was killed, or told to die; protected by its slot
	respawn time.Duration // how long after its end the next one comes; protected by its slot
}

// spawn starts the next incarnation.
func (s *slot) spawn() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.number++
	p := &process{name: fmt.Sprintf("%s-%d.%d", s.role, s.index, s.number), done: make(chan struct{})}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.rig.dir, p.name+".log"))
	if err != nil {
		return err
	}
	p.cmd = exec.Command(program, "-test.run=^$") //nolint:gosec,noctx // it is this program, and lives until it is told
	p.cmd.Env = append(os.Environ(), envRole+"="+s.role, envName+"="+p.name, envURL+"="+s.url(p.name), envAhead+"="+s.ahead.String(), envFile+"="+s.file(p.name))
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = log, log, orphanless()
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	started := make(chan error)
	go s.watch(p, log, started)
	if err := <-started; err != nil {
		return err
	}
	s.process = p
	return nil
}

// url is a process's way to the database. A server knows the process by its name.
func (s *slot) url(name string) string {
	if s.proxy == nil {
		return s.rig.database.url
	}
	return s.proxy.URL(s.rig.database.url) + "&application_name=" + name
}

// file is a writer's journal, or the broker, which all workers share.
func (s *slot) file(name string) string {
	if s.role == "worker" {
		return s.rig.broker()
	}
	return filepath.Join(s.rig.dir, name+".jsonl")
}

// watch starts a process, waits for its end and lets the next one follow.
func (s *slot) watch(p *process, log io.Closer, started chan<- error) {
	// Where the kernel kills a process with its parent, that is the thread that started it.
	runtime.LockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	err = p.cmd.Wait()
	_ = log.Close()
	s.mu.Lock()
	switch {
	case err != nil && p.doomed && killed(p):
		s.rig.died(s.role, tail(filepath.Join(s.rig.dir, p.name+".log")))
	case err != nil && !p.doomed:
		s.rig.wrong("%s ended by itself: %v\n%s", p.name, err, tail(filepath.Join(s.rig.dir, p.name+".log")))
	}
	pause, ended := p.respawn, s.ended
	s.mu.Unlock()
	close(p.done)
	if ended {
		return
	}
	time.Sleep(pause)
	if err := s.spawn(); err != nil {
		s.rig.wrong("%v", err)
	}
}

// killed reports whether it was a signal that has ended a process.
func killed(p *process) bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// died counts a death, and where it was.
func (r *Rig) died(role, log string) {
	if _, arrow, ok := strings.Cut(log, "\n"+diedAt); ok {
		arrow, _, _ = strings.Cut(arrow, "\n") // another goroutine may have come there too
		r.struck(role + " " + arrow)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deaths++
}

// tail returns the end of a log.
func tail(path string) string {
	text, err := os.ReadFile(path) //nolint:gosec // the rig's own file
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}

// current returns the process that is there; it may just have died.
func (s *slot) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// signal sends a signal to the process that is there, and returns it.
func (s *slot) signal(sig syscall.Signal) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sig == syscall.SIGKILL {
		s.process.doomed = true
	}
	_ = s.process.cmd.Process.Signal(sig) // it may be gone
	return s.process
}

// kill kills the process that is there. The next one comes after a pause.
func (s *slot) kill(pause time.Duration) *process {
	s.mu.Lock()
	s.process.respawn = pause
	s.mu.Unlock()
	return s.signal(syscall.SIGKILL)
}

// tell sends a command to the process that is there.
func (s *slot) tell(command string, doomed bool) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.doomed = s.process.doomed || doomed
	_, _ = io.WriteString(s.process.stdin, command+"\n") // it may be gone
	return s.process
}

// finish stops the process that is there for good, and waits for its end.
func (s *slot) finish(patience time.Duration) {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	p := s.tell("stop", false)
	select {
	case <-p.done:
	case <-time.After(patience):
		s.rig.wrong("%s does not stop", p.name)
		s.signal(syscall.SIGKILL)
		<-p.done
	}
}

// strike kills one process, unless it is gone.
func (s *slot) strike(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.doomed = true
	_ = p.cmd.Process.Kill()
}
