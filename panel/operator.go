package panel

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Operator serves the API, and no pages, to whoever runs the server: without a token, with an admin's rights. Who serves it must see
// to it that nobody else can connect.
func (p *Panel) Operator() http.Handler { return p.operator }

// keyOperator marks requests of the operator's in their echo.Context.
const keyOperator = "operator"

func asOperator(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(keyOperator, true)
		return next(c)
	}
}

func isOperator(c echo.Context) bool { return c.Get(keyOperator) != nil }
