package doccheck

const module = "github.com/urutu-go/urutu"

// known are the packages that a fragment may use without importing them.
var known = map[string]string{
	"context":      "context",
	"errors":       "errors",
	"fmt":          "fmt",
	"http":         "net/http",
	"log":          "log",
	"os":           "os",
	"slog":         "log/slog",
	"strings":      "strings",
	"testing":      "testing",
	"time":         "time",
	"uuid":         "github.com/google/uuid",
	"huma":         "github.com/danielgtaylor/huma/v2",
	"humago":       "github.com/danielgtaylor/huma/v2/adapters/humago",
	"urutu":        module,
	"fault":        module + "/fault",
	"uow":          module + "/uow",
	"entity":       module + "/entity",
	"query":        module + "/query",
	"session":      module + "/session",
	"driver":       module + "/session/driver",
	"web":          module + "/web",
	"message":      module + "/message",
	"outbox":       module + "/outbox",
	"bus":          module + "/bus",
	"cli":          module + "/cli",
	"dialect":      module + "/dialect",
	"value":        module + "/value",
	"urututest":    module + "/urututest",
	"pgxdriver":    module + "/session/pgxdriver",
	"sqlitedriver": module + "/session/sqlitedriver",
}
