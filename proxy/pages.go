package proxy

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

const (
	retryAfterSeconds = "5"
	allowedMethods    = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
)

// page is the text of an error page in one language.
type page struct{ Title, Text string }

// text returns the words for a status. They say what the reader can do and
// nothing about what is behind the edge.
func text(status int, language string) page {
	spanish := language == "es"
	pick := func(en, es page) page {
		if spanish {
			return es
		}
		return en
	}
	switch status {
	case http.StatusBadRequest:
		return pick(
			page{"Bad request", "The request is not valid. Please check the address."},
			page{"Solicitud incorrecta", "La solicitud no es válida. Compruebe la dirección."})
	case http.StatusUnauthorized:
		return pick(
			page{"Please sign in", "This address asks for a user name and a password."},
			page{"Inicie sesión", "Esta dirección pide un usuario y una contraseña."})
	case http.StatusNotFound:
		return pick(
			page{"Not found", "There is nothing at this address. Please check the spelling."},
			page{"No encontrado", "No hay nada en esta dirección. Compruebe que está bien escrita."})
	case http.StatusForbidden:
		return pick(
			page{"Access denied", "This address is not open to you. If you were given a link to it, the link may have expired."},
			page{"Acceso denegado", "Esta dirección no está abierta para usted. Si le dieron un enlace, puede que haya caducado."})
	case http.StatusMethodNotAllowed:
		return pick(
			page{"Method not allowed", "This method is not supported here."},
			page{"Método no permitido", "Este método no se admite aquí."})
	case http.StatusRequestTimeout:
		return pick(
			page{"Request timed out", "The request did not arrive in time. Please try again."},
			page{"La solicitud tardó demasiado", "La solicitud no llegó a tiempo. Inténtelo de nuevo."})
	case http.StatusRequestEntityTooLarge:
		return pick(
			page{"Too large", "What you sent is larger than what is accepted here."},
			page{"Demasiado grande", "Lo que ha enviado supera el tamaño que se admite aquí."})
	case http.StatusTooManyRequests:
		return pick(
			page{"Too many requests", "Too many requests came from your address. Please wait a moment and try again."},
			page{"Demasiadas solicitudes", "Han llegado demasiadas solicitudes desde su dirección. Espere un momento e inténtelo de nuevo."})
	case http.StatusMisdirectedRequest:
		return pick(
			page{"Unknown address", "There is nothing at this address. Please check the spelling."},
			page{"Dirección desconocida", "No hay nada en esta dirección. Compruebe que está bien escrita."})
	case http.StatusServiceUnavailable:
		return pick(
			page{"We will be right back", "The service is not available for a moment. Please try again in a few seconds."},
			page{"Volvemos enseguida", "El servicio no está disponible por un momento. Inténtelo de nuevo en unos segundos."})
	case http.StatusGatewayTimeout:
		return pick(
			page{"No answer in time", "The service took too long to answer. Please try again."},
			page{"Sin respuesta a tiempo", "El servicio tardó demasiado en responder. Inténtelo de nuevo."})
	default:
		return pick(
			page{"Something went wrong", "The service did not answer as it should. Please try again."},
			page{"Algo ha fallado", "El servicio no respondió como debía. Inténtelo de nuevo."})
	}
}

// notice is an answer of the edge itself.
type notice struct {
	status   int
	language string // when the client prefers none of ours
	// name of the own page that takes its place, if there is one; empty: by
	// the status.
	name string
	own  *Pages
	// text returns the words in a language; nil selects those of the status.
	text func(language string) page
}

// writePage answers with an error page that belongs to no app.
func writePage(w http.ResponseWriter, r *http.Request, status int, language string) {
	notice{status: status, language: language}.write(w, r)
}

// write answers in the format that Accept and in the language that
// Accept-Language ask for; otherwise HTML and the notice's language.
func (n notice) write(w http.ResponseWriter, r *http.Request) {
	status, h := n.status, w.Header()
	format := negotiate(r.Header["Accept"], formats[:], 0)
	language, body := n.content(r, format)
	h.Set("Cache-Control", "no-store")
	if language != "" {
		h.Set("Content-Language", language)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Type", format+contentTypeSuffix(format))
	h.Set("Vary", "Accept, Accept-Language")
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case status == http.StatusServiceUnavailable && h.Get("Retry-After") == "":
		h.Set("Retry-After", retryAfterSeconds)
	case status == http.StatusMethodNotAllowed && h.Get("Allow") == "":
		h.Set("Allow", allowedMethods)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// content returns the body and its language, which is empty for an own page
// that says none.
func (n notice) content(r *http.Request, format string) (language string, body []byte) {
	if format == formats[0] {
		if own := n.own.find(r, n.name, n.status, n.language); own != nil {
			return own.language, own.html
		}
	}
	language = negotiate(r.Header["Accept-Language"], languageTags[:], languageIndex(n.language))
	words := text(n.status, language)
	if n.text != nil {
		words = n.text(language)
	}
	return language, render(format, n.status, language, words)
}

func contentTypeSuffix(format string) string {
	if format == "application/json" {
		return ""
	}
	return "; charset=utf-8"
}

func render(format string, status int, language string, p page) []byte {
	var out bytes.Buffer
	switch format {
	case "application/json":
		// Only strings and a number: encoding cannot fail.
		_ = json.NewEncoder(&out).Encode(map[string]any{"status": status, "title": p.Title, "detail": p.Text})
	case "text/plain":
		out.WriteString(p.Title + ". " + p.Text + "\n")
	default:
		_ = htmlPage.Execute(&out, struct {
			page
			Status   int
			Language string
		}{p, status, language})
	}
	return out.Bytes()
}

var (
	formats      = [...]string{"text/html", "application/json", "text/plain"}
	languageTags = [...]string{"en", "es"}
)

func languageIndex(language string) int {
	if language == "es" {
		return 1
	}
	return 0
}

// negotiate picks from offers what the list in lines (Accept or
// Accept-Language, RFC 9110 §12.5) values most; of equals the earlier entry of
// the list wins, and without a match offers[otherwise].
func negotiate(lines, offers []string, otherwise int) string {
	best, bestWeight := offers[otherwise], 0.0
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(entry, ";")
			weight := quality(params)
			if weight <= bestWeight {
				continue
			}
			if offer := match(strings.ToLower(strings.TrimSpace(name)), offers, otherwise); offer != "" {
				best, bestWeight = offer, weight
			}
		}
	}
	return best
}

// match finds the offer that an entry names: itself, a range such as text/* or
// */*, or a longer language tag such as es-MX.
func match(entry string, offers []string, otherwise int) string {
	if entry == "*" || entry == "*/*" {
		return offers[otherwise]
	}
	for _, offer := range offers {
		family, _, isType := strings.Cut(offer, "/")
		switch {
		case entry == offer,
			isType && entry == family+"/*",
			!isType && strings.HasPrefix(entry, offer+"-"),
			offer == "application/json" && strings.HasSuffix(entry, "+json"):
			return offer
		}
	}
	return ""
}

// quality reads the weight (RFC 9110 §12.4.2); a broken one counts as none
// given.
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(key, "q") {
			if q, err := strconv.ParseFloat(value, 64); err == nil {
				return q
			}
		}
	}
	return 1
}

var htmlPage = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="{{.Language}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #ffffff; --ink: #1b2430; --soft: #5c6878; --line: #e2e6ec; --mark: #2563eb; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #10141a; --card: #181e27; --ink: #e8ecf2; --soft: #98a4b5; --line: #27303d; --mark: #7aa7ff; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 27rem; padding: 2.25rem 2.25rem 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 14px; box-shadow: 0 1px 2px rgb(0 0 0 / .04), 0 12px 32px rgb(0 0 0 / .06); }
p { margin: 0; color: var(--soft); white-space: pre-line; overflow-wrap: anywhere; }
.status { font-size: .8125rem; font-weight: 600; letter-spacing: .08em; color: var(--mark); font-variant-numeric: tabular-nums; }
h1 { margin: .35rem 0 .6rem; font-size: 1.5rem; line-height: 1.25; font-weight: 650; text-wrap: balance; }
</style>
</head>
<body>
<main>
<p class="status">{{.Status}}</p>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
</main>
</body>
</html>
`))
