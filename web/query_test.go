package web_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/web"
)

// self is an input that reads the query string by itself.
type self struct {
	Language string `header:"Accept-Language"`
	Colour   string
}

func (s *self) Resolve(ctx huma.Context) []error {
	s.Colour = ctx.Query("colour")
	return nil
}

// TestQueryStringsThatCannotBeReadAreRefused: of a part that cannot be read there is no telling what it asked for, so the
// rest of the query string is not answered either, wherever one is read.
func TestQueryStringsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	runs := 0
	run := func() (none, error) { runs++; return none{}, nil }
	web.Get(api, "/list", func(context.Context, Listing) (none, error) { return run() })
	web.Get(api, "/page", func(context.Context, query.PageRequest) (none, error) { return run() })
	web.Get(api, "/walk", func(context.Context, query.CursorRequest) (none, error) { return run() })
	web.Get(api, "/params", func(context.Context, struct {
		Limit int `query:"limit"`
	}) (none, error) {
		return run()
	})
	web.Get(api, "/filter", func(context.Context, struct {
		Name query.StringCriteria `json:"name"`
	}) (none, error) {
		return run()
	})
	web.Get(api, "/self", func(context.Context, self) (none, error) { return run() })
	web.Post(api, "/grid", func(context.Context, query.GridRequest) (none, error) { return run() })
	web.Post(api, "/body", func(context.Context, struct{ Body query.ListRequest }) (none, error) { return run() })
	web.Get(api, "/nothing", func(context.Context, none) (none, error) { return none{}, nil })
	ok(t, api)

	targets := map[string]string{
		"/list": "GET", "/page": "GET", "/walk": "GET", "/params": "GET", "/filter": "GET", "/self": "GET", "/grid": "POST",
		"/body": "POST",
	}
	bad := []string{
		"name=50%", "%", "%zz=1", "page=1&name=%e", "a;b", "limit=1;page=2", "limit=5%", "total[gte]=1;page=2", "name=a&;",
		"name=a" + strings.Repeat("&", 10_000), // more parts than are read
	}
	for path, method := range targets {
		for _, query := range bad {
			w := send(t, api, nil, method, path+"?"+query, `{}`)
			p := w.problem(t, 400)
			if want := []fault.Field{{Name: "query", Message: "has the wrong form"}}; !reflect.DeepEqual(p.Errors, want) ||
				p.Kind != fault.BadRequest || p.Detail != "the query string cannot be read" {
				t.Errorf("%s?%.30s: %s", path, query, w.Body)
			}
		}
		send(t, api, nil, method, path+"?", `{}`).body(t, 204, "")
		send(t, api, nil, method, path+"?&&", `{}`).body(t, 204, "")
	}
	if runs != 2*len(targets) {
		t.Errorf("%d handlers ran", runs)
	}
	send(t, api, nil, "GET", "/list?name=50%25&name[is_exact]=true&page=1", nil).body(t, 204, "")
	send(t, api, nil, "GET", "/nothing?name=50%", nil).body(t, 204, "")
}

// Plain is the input of a list with parameters that are no filters.
type Plain struct {
	query.ListRequest
	IDs     []int64               `query:"ids"`
	Tags    []string              `query:"tags,explode"`
	Options map[string]string     `query:"options,deepObject"`
	Where   string                `query:"where[id]"`
	Total   query.Criteria[int64] `json:"total"`
}

// Single is the input of what is no list.
type Single struct {
	Limit int                   `query:"limit"`
	Total query.Criteria[int64] `json:"total"`
}

// TestOperatorsOfParametersThatTakeNoneAreRefused: where nothing would read an operator it is named as the client wrote it.
func TestOperatorsOfParametersThatTakeNoneAreRefused(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	var got Plain
	web.Get(api, "/list", func(_ context.Context, in Plain) (none, error) { got = in; return none{}, nil })
	web.Get(api, "/walk", handler[query.CursorRequest, none])
	web.Get(api, "/one", handler[Single, none])
	web.Get(api, "/params", handler[resolved, none])
	ok(t, api)

	const takes, is = "takes no operator", "there is no such filter here"
	for target, message := range map[string]string{
		"/list?page[gte]=1":                         takes,
		"/list?page=1&page_size[]=1":                takes,
		"/list?page_size=1&page[gte][x]=1":          takes,
		"/list?sort[x]=y":                           takes,
		"/list?ids[in]=5":                           takes,
		"/list?ids=5&ids[]=6":                       takes,
		"/list?tags[]=a":                            takes,
		"/list?page%5Bgte%5D=1":                     takes,
		"/list?page[=1":                             takes,
		"/list?where=1":                             is,
		"/list?where[no]=1":                         is,
		"/list?total[gte=1":                         is,
		"/list?[gte]=1":                             is,
		"/walk?cursor[ne]=x":                        takes,
		"/walk?page_size[lt]=9":                     takes,
		"/one?limit[gte]=1":                         takes,
		"/one?total[gte=1":                          is,
		"/one?total[gte]=1&limit=1&limit[]=2":       takes,
		"/params?from[gte]=1":                       takes,
		"/params?from=1&to=2&colour[eq]=red&to[]=3": takes,
	} {
		p := send(t, api, nil, "GET", target, nil).problem(t, 400)
		// The last parameter is the one that is wrong.
		key, _, _ := strings.Cut(target[strings.LastIndexAny(target, "?&")+1:], "=")
		key = strings.NewReplacer("%5B", "[", "%5D", "]").Replace(key)
		if len(p.Errors) != 1 || p.Errors[0] != (fault.Field{Name: key, Message: message}) {
			t.Errorf("%s: %+v", target, p.Errors)
		}
	}

	target := "/list?page=1&ids=1,2&tags=a&tags=b&options[x]=y&where[id]=7&total[gte]=3&total=4&total[]=5"
	send(t, api, nil, "GET", target, nil).body(t, 204, "")
	want := Plain{
		ListRequest: query.ListRequest{PageRequest: query.PageRequest{Page: 1}}, IDs: []int64{1, 2}, Tags: []string{"a", "b"},
		Options: map[string]string{"x": "y"}, Where: "7", Total: query.Criteria[int64]{Gte: new(int64(3)), In: []int64{4, 5}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v", got)
	}
	// What is no list passes over parameters that are nobody's.
	send(t, api, nil, "GET", "/one?limit=1&colour=red&colour[eq]=red&total=3", nil).body(t, 204, "")
	send(t, api, nil, "GET", "/params?colour[eq]=red", nil).body(t, 204, "")
}

// TestListsRefuseParametersThatAreGivenTwice: of a parameter with one value the second would be passed over.
func TestListsRefuseParametersThatAreGivenTwice(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	web.Get(api, "/list", handler[Plain, none])
	web.Get(api, "/walk", handler[query.CursorRequest, none])
	web.Get(api, "/one", handler[Single, none])
	ok(t, api)
	for target, field := range map[string]string{
		"/list?page=1&page=2": "page", "/list?sort=a&page=1&sort=b": "sort", "/list?ids=1&ids=2": "ids",
		"/walk?cursor=&cursor=": "cursor",
	} {
		p := send(t, api, nil, "GET", target, nil).problem(t, 400)
		if len(p.Errors) != 1 || p.Errors[0] != (fault.Field{Name: field, Message: "is given more than once"}) {
			t.Errorf("%s: %+v", target, p.Errors)
		}
	}
	send(t, api, nil, "GET", "/list?tags=a&tags=b&total=1&total=2", nil).body(t, 204, "")
	send(t, api, nil, "GET", "/one?limit=1&limit=2", nil).body(t, 204, "")
}
