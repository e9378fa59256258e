// Package urutu runs the parts of an application together: it starts them in order, waits, stops their intake first, lets
// them finish, and closes what they used.
//
// # Overview
//
// An [App] is one declaration of a service. What it consists of are components (an HTTP server, a worker, a scheduler,
// a background process) and resources (databases, broker connections):
//
//	app := &urutu.App{
//		Name:       "shop",
//		Resources:  []urutu.Resource{db},
//		Components: []urutu.Component{server, worker, urutu.NewProcess("report", report)},
//	}
//	err := app.Run(ctx)
//
// The same declaration runs all of it in one process, or a part: a component may have a role ("http", "worker"), and
// [App.Roles] chooses which roles this process plays. Components without a role always run.
//
// Nothing in urutu needs an App. Sessions, units of work and HTTP handlers work without one; it is for the main function
// of a service.
//
// # Lifecycle
//
// [App.Run] pings the resources, starts the components one after the other, and waits until its context ends, the
// process gets SIGINT or SIGTERM, or a component fails on its own. Then every component stops its intake at once, the
// components are stopped in reverse order, each waiting for what it has under way, and at last the resources are closed
// in reverse order. A second signal ends the process at once. If a component does not start, those before it are stopped
// and the resources closed.
//
// All of the stopping is bounded by [App.StopTimeout]. What is not done by then is broken off, and reported.
//
// # Errors
//
// Run returns nil after an orderly stop. Else it returns everything that went wrong, joined: the start or the component
// that failed first, then what went wrong in stopping. A wrong declaration is fault.Misconfigured.
//
// # Concurrency
//
// An App's fields must not change once it has been started. All methods of an App and a [Process] may be called
// concurrently; stopping twice, or before the start, does nothing.
package urutu
