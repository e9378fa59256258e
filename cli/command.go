package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urutu-go/urutu/fault"
)

// Command is a word of a command line: something to do, or the first word of other commands.
type Command struct {
	// Name is the word.
	Name string
	// Args says what comes behind it, for its help: "[id ...]".
	Args string
	// Summary says in a line what it does.
	Summary string
	// Commands are those that it is the first word of.
	Commands []*Command
	// Action declares the command's flags and returns what it does. It is called each time that the command is run.
	// Required unless there are Commands.
	Action func(flags *flag.FlagSet) Action
}

// Action is what a command does. Its arguments are what is left of the line without the flags.
type Action func(ctx context.Context, t Terminal, args []string) error

// Terminal is where a command writes. The zero value is the one of the process.
type Terminal struct {
	// Out takes what was asked for, and Err what is said besides. They default to os.Stdout and os.Stderr.
	Out, Err io.Writer
}

// Run runs the command that args names. A command that is not known, or an argument that is not understood, is
// fault.BadRequest.
func Run(ctx context.Context, t Terminal, args []string, commands ...*Command) error {
	t.Out, t.Err = cmp.Or(t.Out, io.Writer(os.Stdout)), cmp.Or(t.Err, io.Writer(os.Stderr))
	return (&Command{Commands: commands}).run(ctx, t, "", args)
}

// ExitCode is what a process exits with after Run: 0 without an error, 2 where the command line was not understood, 1
// otherwise.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case fault.KindOf(err) == fault.BadRequest:
		return 2
	default:
		return 1
	}
}

// run runs the command, which was reached by the words of path.
func (c *Command) run(ctx context.Context, t Terminal, path string, args []string) error {
	if len(c.Commands) > 0 {
		return c.descend(ctx, t, path, args)
	}
	flags := flag.NewFlagSet(path, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	action := c.Action(flags)
	rest, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return c.help(t.Out, path, flags)
	case err != nil:
		return misunderstood("%s: %v; %s -h says more", path, err, path)
	}
	return action(ctx, t, rest)
}

// descend runs the command that the first argument names.
func (c *Command) descend(ctx context.Context, t Terminal, path string, args []string) error {
	if len(args) == 0 || slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		return c.list(t.Out, path)
	}
	for _, sub := range c.Commands {
		if sub.Name == args[0] {
			return sub.run(ctx, t, strings.TrimSpace(path+" "+sub.Name), args[1:])
		}
	}
	return misunderstood("there is no command %q; there are: %s", strings.TrimSpace(path+" "+args[0]), strings.Join(c.names(), ", "))
}

func (c *Command) names() (list []string) {
	for _, sub := range c.Commands {
		list = append(list, sub.Name)
	}
	return list
}

// parse returns the arguments that are no flags, wherever they stand. Behind "--" there are no flags.
func parse(flags *flag.FlagSet, args []string) (rest []string, err error) {
	args, behind := cut(args)
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return append(rest, behind...), nil
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}

func cut(args []string) (before, behind []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

// list prints the commands below this one.
func (c *Command) list(w io.Writer, path string) error {
	out := newTable()
	for _, sub := range c.Commands {
		out.row("  "+strings.TrimSpace(path+" "+sub.Name), sub.Summary)
	}
	_, err := fmt.Fprintf(w, "Commands:\n%s", out)
	return err
}

// help prints what the command does, and its flags.
func (c *Command) help(w io.Writer, path string, flags *flag.FlagSet) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s.\n", strings.TrimSpace(path+" [flags] "+c.Args), c.Summary)
	flags.SetOutput(&b)
	b.WriteString("\nFlags:\n")
	flags.PrintDefaults()
	_, err := io.WriteString(w, b.String())
	return err
}

// misunderstood is the error of a command line that cannot be read.
func misunderstood(format string, args ...any) error {
	return &fault.Error{Kind: fault.BadRequest, Op: "cli.Run", Message: fmt.Sprintf(format, args...)}
}
