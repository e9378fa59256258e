// Package cli is a tree of commands that an application mounts in its own main, beside what it does otherwise.
//
// # Overview
//
// A program that serves and is operated by the same binary:
//
//	if args := flag.Args(); len(args) > 0 {
//		err := cli.Run(ctx, cli.Terminal{}, args, cli.Messages(db, cli.MessagesConfig{}))
//		if err != nil {
//			fmt.Fprintln(os.Stderr, err)
//		}
//		os.Exit(cli.ExitCode(err))
//	}
//
// [Messages] is the command to operate the messages of a connection: "messages list", "messages retry 17", and so on. Those
// that wait for their time have commands of their own: "messages delayed list", "messages delayed cancel 3". A [Command] of
// the application's own stands beside it. Flags and arguments may be mixed; -h prints the help of any command.
//
// # Errors
//
// A command line that is not understood is fault.BadRequest; see [ExitCode]. Everything else is what the command returned.
//
// # Concurrency
//
// Commands are safe for concurrent use if what they do is.
package cli
