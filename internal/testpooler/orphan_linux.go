package testpooler

import "syscall"

// orphanless has the kernel kill a program whose parent has died, of a timeout for one.
func orphanless() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
