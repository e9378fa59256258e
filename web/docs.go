package web

import (
	"html"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// docs returns Huma's documentation page, which reads /openapi.yaml. Huma would register it together with routes that
// render the document at their first request, without a lock: hence an adapter that keeps the page only.
func docs(title string) http.Handler {
	page := &pageAdapter{}
	huma.NewAPI(huma.Config{
		OpenAPI:     &huma.OpenAPI{Info: &huma.Info{Title: html.EscapeString(title)}},
		OpenAPIPath: "/openapi",
		DocsPath:    docsPath,
	}, page)
	return page
}

const docsPath = "/docs"

// pageAdapter keeps the handler of the documentation page.
type pageAdapter struct{ page func(huma.Context) }

var _ huma.Adapter = (*pageAdapter)(nil)

// Handle keeps the page.
func (p *pageAdapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	if op.Path == docsPath {
		p.page = handler
	}
}

// ServeHTTP serves the page.
func (p *pageAdapter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.page(humago.NewContext(nil, r, w))
}
