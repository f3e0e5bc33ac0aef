package web

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
)

// signInPage asks for a token, or offers to use a one-time link.
type signInPage struct {
	frame
	Code      string // of a one-time link; "" asks for a token
	Next      string
	Problem   string
	Fix       string
	Unmanaged bool // there is no administrator yet
}

// setupPage asks who the first administrator is.
type setupPage struct {
	frame
	Code, Handle, Name, Email string
	Problem, Fix              string
	Done                      bool // there is an administrator already
}

// welcomePage shows the first administrator's token, once.
type welcomePage struct {
	frame
	Secret string
	Issued control.Issued
}

// local is next where it is a path on this server, and otherwise the start
// page: a link to us must not lead away from us.
func local(next string) string {
	const start = "/decisions"
	if len(next) > 2000 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return start
	}
	for _, c := range []byte(next) {
		if c <= ' ' || c >= 0x7f {
			return start
		}
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || path.Clean(u.Path) != u.Path {
		return start
	}
	return next
}

// signInPath is the sign-in page that leads back to what the request looked at.
func signInPath(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "/signin"
	}
	return "/signin?next=" + url.QueryEscape(r.URL.RequestURI())
}

// showSignIn shows the form and acts on nothing, not even on a one-time code:
// mail scanners and chat previews open links too.
func (s *site) showSignIn(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	p := signInPage{Code: q.Get("code"), Next: local(q.Get("next"))}
	if p.Code == "" {
		_, known, err := s.visitor(r)
		if err != nil {
			return err
		}
		if known {
			http.Redirect(w, r, p.Next, http.StatusSeeOther)
			return nil
		}
	}
	p.frame = s.frame(r.Context(), "Sign in")
	if p.Code == "" && r.Header.Get("Sec-Fetch-Site") == "cross-site" && q.Get("again") == "" {
		// A link on another site brings no SameSite=Strict cookie; our own page does.
		p.Refresh = "/signin?again=1&next=" + url.QueryEscape(p.Next)
	}
	return s.askSignIn(w, r, http.StatusOK, p)
}

func (s *site) askSignIn(w http.ResponseWriter, r *http.Request, status int, p signInPage) error {
	there, err := s.control.Administered(r.Context())
	if err != nil {
		return err
	}
	p.Unmanaged = !there
	return show(r.Context(), w, status, showSignIn(p))
}

func (s *site) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := form(r); err != nil {
		return err
	}
	next := local(r.PostForm.Get("next"))
	if err := s.attempts.allowed(r); err != nil {
		return err
	}
	secret := strings.TrimSpace(r.PostForm.Get("token"))
	if secret == "" {
		secret = r.PostForm.Get("code")
	}
	err := s.open(w, r, secret)
	if kind := fault.KindOf(err); kind == fault.Unauthorised || kind == fault.Forbidden {
		s.attempts.failed(r)
		p := signInPage{frame: s.frame(r.Context(), "Sign in"), Next: next}
		p.Problem, p.Fix = told(err)
		return s.askSignIn(w, r, fault.Status(kind), p)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// open opens a session on a token. Only people have pages; machines have the API.
func (s *site) open(w http.ResponseWriter, r *http.Request, secret string) error {
	tokenID, err := s.control.SignIn(r.Context(), secret)
	if err != nil {
		return err
	}
	actor, err := s.control.Refresh(r.Context(), tokenID)
	if err != nil {
		return err
	}
	if actor.Person() == "" {
		return fault.New(fault.Forbidden, "web.not-a-person", "this token belongs to a machine").
			Because("pages are for people").Remedy("sign in with a token of your own, or use the API")
	}
	return s.sessions.begin(w, r, tokenID)
}

func (s *site) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.sessions.end(r); err != nil {
		return err
	}
	http.SetCookie(w, s.sessions.with("", -1))
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
	return nil
}

func (s *site) showSetup(w http.ResponseWriter, r *http.Request) error {
	return s.askSetup(w, r, http.StatusOK, setupPage{Code: r.URL.Query().Get("code")})
}

func (s *site) askSetup(w http.ResponseWriter, r *http.Request, status int, p setupPage) error {
	there, err := s.control.Administered(r.Context())
	if err != nil {
		return err
	}
	p.frame, p.Done = s.frame(r.Context(), "Set up"), there
	return show(r.Context(), w, status, showSetup(p))
}

// setup makes the first administrator and shows the token in its own answer:
// it is kept nowhere, so no later page could.
func (s *site) setup(w http.ResponseWriter, r *http.Request) error {
	if err := form(r); err != nil {
		return err
	}
	if err := s.attempts.allowed(r); err != nil {
		return err
	}
	value := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	p := setupPage{Code: value("code"), Handle: value("handle"), Name: value("name"), Email: value("email")}
	issued, err := s.control.Setup(r.Context(), p.Code, control.Founder{Handle: p.Handle, Name: p.Name, Email: p.Email})
	switch kind := fault.KindOf(err); {
	case err == nil:
	case kind == fault.Unauthorised:
		s.attempts.failed(r)
		fallthrough
	case kind == fault.Invalid, kind == fault.Conflict:
		p.Problem, p.Fix = told(err)
		return s.askSetup(w, r, fault.Status(kind), p)
	default:
		return err
	}
	if err := s.sessions.begin(w, r, issued.ID); err != nil {
		return err
	}
	return show(r.Context(), w, http.StatusOK, showWelcome(welcomePage{frame: s.frame(r.Context(), "Set up"), Secret: issued.Secret, Issued: issued}))
}
