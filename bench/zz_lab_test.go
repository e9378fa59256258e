package main
import ("testing";"context";"github.com/jackc/pgx/v5";"github.com/jackc/pgx/v5/pgconn";"sort";"time";"fmt";"strings";"github.com/jackc/pgx/v5/pgproto3")
type labv struct{ name string; f func() }
func TestLab(t *testing.T){
	ctx := context.Background()
	db := forTest(t, onPostgres()[:1])
	conn, err := pgx.Connect(ctx, db.url("urutu", false)); if err != nil { t.Fatal(err) }
	defer conn.Close(ctx)
	pc := conn.PgConn()
	must := func(err error){ if err != nil { t.Fatal(err) } }
	beg, err := conn.Prepare(ctx, "b", "BEGIN"); must(err)
	begiso, err := conn.Prepare(ctx, "bi", "BEGIN ISOLATION LEVEL READ COMMITTED"); must(err)
	com, err := conn.Prepare(ctx, "c", "COMMIT"); must(err)
	ins, err := conn.Prepare(ctx, "ins", insertCustomer); must(err)
	msg, err := conn.Prepare(ctx, "msg", insertMessage); must(err)
	_ = begiso
	sel, err := conn.Prepare(ctx, "sel", selectProduct); must(err)
	upd, err := conn.Prepare(ctx, "upd", strings.Replace(updateStock, "version + 1", "$2", 1)); must(err)
	gua, err := conn.Prepare(ctx, "gua", guardedStock); must(err)
	ver := int64(0)
	fe := pc.Frontend()
	send := func(p *pgconn.Pipeline, sd *pgconn.StatementDescription, args []any){
		var q pgx.ExtendedQueryBuilder
		must(q.Build(conn.TypeMap(), sd, args))
		p.SendQueryStatement(sd, q.ParamValues, q.ParamFormats, q.ResultFormats)
	}
	finish := func(p *pgconn.Pipeline){
		must(p.Flush())
		for { r, err := p.GetResults(); must(err); if r == nil { break }; if rr, ok := r.(*pgconn.ResultReader); ok { _, err := rr.Close(); must(err) } }
		must(p.Close())
	}
	two := func(p *pgconn.Pipeline){ c := newCustomer(); send(p, ins, c.args()); m := newMessage("x", c.ID); send(p, msg, m.args()) }
	raw := func(sds []*pgconn.StatementDescription, args ...[]any){ for i, sd := range sds { var q pgx.ExtendedQueryBuilder; must(q.Build(conn.TypeMap(), sd, args[i])); fe.SendBind(&pgproto3.Bind{PreparedStatement: sd.Name, ParameterFormatCodes: q.ParamFormats, Parameters: q.ParamValues, ResultFormatCodes: q.ResultFormats}); fe.SendExecute(&pgproto3.Execute{}) }
		fe.SendSync(&pgproto3.Sync{}); must(fe.Flush())
		for { m, err := pc.ReceiveMessage(context.Background()); must(err); if e, ok := m.(*pgproto3.ErrorResponse); ok { t.Fatal(e.Message) }; if _, ok := m.(*pgproto3.ReadyForQuery); ok { break } } }
	type S = []*pgconn.StatementDescription
	vers := map[int]int64{}
	row, row2 := 0, 0
	g2, err := conn.Prepare(ctx, "g2", "WITH u AS ("+updateStock+" RETURNING 1) SELECT 1/count(*) FROM u"); must(err)
	g3, err := conn.Prepare(ctx, "g3", "WITH u AS ("+updateStock+" RETURNING id) SELECT ('urutu:stale:' || coalesce(u.id::text,''))::int FROM (SELECT 1) v LEFT JOIN u ON true WHERE u.id IS NULL"); must(err)
	nov, err := conn.Prepare(ctx, "nov", "UPDATE products SET stock = $2, updated_at = $3 WHERE id = $1"); must(err)
	_, _ = two, msg
	_ = ver; _ = upd
	guarded := func(sd *pgconn.StatementDescription) func() { return func(){ row = (row+1)%500; id := db.products[row]; if vers[row] == 0 { vers[row] = 1 }; raw(S{sd}, []any{key(id), vers[row], int64(5), now()}); vers[row]++ } }
	vs := []labv{
		{"select raw", func(){ raw(S{sel}, []any{key(db.products[3])}) }},
		{"insert message raw", func(){ m := newMessage("x", db.customer); raw(S{msg}, m.args()) }},
		{"insert customer raw", func(){ m := newCustomer(); raw(S{ins}, m.args()) }},
		{"plain update one row", func(){ raw(S{nov}, []any{key(db.products[999]), int64(5), now()}) }},
		{"plain update rotating", func(){ row2 = (row2+1)%400; raw(S{nov}, []any{key(db.products[500+row2]), int64(5), now()}) }},
		{"guard rotating", guarded(gua)},
		{"guard 1/count rotating", guarded(g2)},
		{"guard left join rotating", guarded(g3)},
	}
	times := make([][]float64, len(vs))
	for round := range 3000 { for _, i := range order(round, len(vs)) { s := time.Now(); vs[i].f(); times[i] = append(times[i], float64(time.Since(s).Microseconds())) } }
	for i, v := range vs { sort.Float64s(times[i]); n := len(times[i]); fmt.Printf("%-40s p10 %4.0f  p25 %4.0f  median %4.0f  p75 %4.0f\n", v.name, times[i][n/10], times[i][n/4], times[i][n/2], times[i][n*3/4]) }
}
