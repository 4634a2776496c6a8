// A service that believes the assertion of wxgate, and nothing else that a request says of its user.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

const assertionType = "wxgate-assertion+jwt"

// Claims are what an assertion says.
type Claims struct {
	jwt.RegisteredClaims
	AppID   string `json:"appid"`
	UnionID string `json:"unionid,omitempty"`
}

// Identity is whom the gateway vouches for.
type Identity struct {
	OpenID  string `json:"openid"`
	AppID   string `json:"appid"`
	UnionID string `json:"unionid,omitempty"`
}

// There was no look at the keys yet that succeeded.
var errNoKeys = errors.New("the keys of the gateway cannot be fetched")

type verifier struct {
	set    jwkset.Storage
	keys   jwt.Keyfunc
	parser *jwt.Parser
}

func newVerifier(ctx context.Context, url, issuer, audience string, cooldown time.Duration) (*verifier, error) {
	// Fetched anew every five minutes.
	remote, err := jwkset.NewStorageFromHTTP(url, jwkset.HTTPClientStorageOptions{
		Ctx:                       ctx,
		NoErrorReturnFirstHTTPReq: true,
		RefreshInterval:           5 * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	// A key that is not among them is looked for at once, but not in every request.
	client, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{url: remote},
		RefreshUnknownKID: rate.NewLimiter(rate.Every(cooldown), 1),
		// And who names one that there is not is not waited for: this is also the time for the look itself.
		RateLimitWaitMax: 5 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	keys, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: client})
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"EdDSA", "ES256"}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(30*time.Second),
	)
	return &verifier{set: client, keys: keys.Keyfunc, parser: parser}, nil
}

func (v *verifier) identity(assertion string) (*Identity, error) {
	var claims Claims
	token, err := v.parser.ParseWithClaims(assertion, &claims, v.keys)
	if errors.Is(err, jwt.ErrTokenUnverifiable) {
		if keys, failed := v.set.KeyReadAll(context.Background()); failed != nil || len(keys) == 0 {
			return nil, errNoKeys
		}
	}
	if err != nil {
		return nil, err
	}
	if token.Header["typ"] != assertionType || claims.Subject == "" || claims.AppID == "" {
		return nil, errors.New("it is of another type")
	}
	return &Identity{OpenID: claims.Subject, AppID: claims.AppID, UnionID: claims.UnionID}, nil
}

func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	identity, err := v.identity(r.Header.Get("X-WX-Assertion"))
	if errors.Is(err, errNoKeys) {
		log.Print(err)
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, `{"error":"the keys of the gateway cannot be fetched"}`)
		return
	}
	if err != nil {
		log.Print(err) // for us; the client only learns that it is not let in
		// Not 401, by which Mini Programs know to log in again.
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintln(w, `{"error":"not from the gateway"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(identity)
}

func main() {
	cooldown, err := time.ParseDuration(or("JWKS_COOLDOWN", "30") + "s")
	if err != nil {
		log.Fatal(err)
	}
	v, err := newVerifier(context.Background(), os.Getenv("JWKS_URL"), or("ISSUER", "wxgate"), os.Getenv("AUDIENCE"), cooldown)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+or("PORT", "3000"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(http.Serve(listener, v))
}

func or(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
