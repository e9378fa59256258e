package web_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/web"
)

// Listing is the input of a list endpoint.
type Listing struct {
	query.PageRequest
	Name  query.StringCriteria      `json:"name"`
	Total query.Criteria[int64]     `json:"total"`
	Owner query.Criteria[uuid.UUID] `json:"owner"`
	Day   query.DateCriteria        `json:"day" filter:"created_at"`
}

func TestListsReadTheirCriteriaFromTheQuery(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	var got Listing
	web.Get(api, "/list", func(_ context.Context, in Listing) (struct{}, error) {
		got = in
		return struct{}{}, nil
	})
	ok(t, api)
	send(t, api, nil, "GET", "/list?page=1&name=ann&name[is_exact]=true&total[gte]=3&total[lt]=9&owner[in]="+id+"&owner[in]="+id+"&day=2026-11-29", nil).body(t, 204, "")
	if got.Page != 1 || got.Name.Value != "ann" || !got.Name.IsExact || *got.Total.Gte != 3 || *got.Total.Lt != 9 ||
		len(got.Owner.In) != 2 || got.Day.Eq.String() != "2026-11-29" {
		t.Errorf("%+v", got)
	}
	for target, field := range map[string]string{
		"/list?colour=red":              "colour",
		"/list?page=x":                  "page",
		"/list?total[between]=1":        "total[between]",
		"/list?total=1.5":               "total",
		"/list?total=null":              "total",
		"/list?total[gt]=1&total[gt]=2": "total[gt]",
		"/list?owner=nobody":            "owner",
		"/list?day[gt]=yesterday":       "day[gt]",
		"/list?name=a&name[value]=b":    "name[value]",
		"/list?name[is_exact]=maybe":    "name[is_exact]",
	} {
		p := send(t, api, nil, "GET", target, nil).problem(t, 400)
		if len(p.Errors) != 1 || p.Errors[0].Name != field {
			t.Errorf("%s: %+v", target, p)
		}
	}
	doc, err := api.Document()
	if err != nil || !strings.Contains(string(doc), `"deepObject"`) {
		t.Errorf("the document: %v", err)
	}
}
