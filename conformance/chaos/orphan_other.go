//go:build unix && !linux

package chaos

import "syscall"

func orphanless() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
