import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.crypto.Ed25519Verifier;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKMatcher;
import com.nimbusds.jose.jwk.JWKSelector;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.jwk.source.RateLimitReachedException;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.BadJWTException;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.text.ParseException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;

/** A service that believes the assertion of wxgate, and nothing else that a request says of its user. */
public final class Service {
    private static final JOSEObjectType TYPE = new JOSEObjectType("wxgate-assertion+jwt");
    private static final Set<JWSAlgorithm> ALGORITHMS = Set.of(JWSAlgorithm.EdDSA, JWSAlgorithm.ES256);

    private final JWKSource<SecurityContext> keys;
    private final DefaultJWTClaimsVerifier<SecurityContext> claims;

    Service(String url, String issuer, String audience, long cooldown) throws IOException {
        // Kept for five minutes; a key that is not among them is looked for at once, but not in every request.
        JWKSourceBuilder<SecurityContext> source = JWKSourceBuilder.create(URI.create(url).toURL());
        source.cache(300_000, 15_000).refreshAheadCache(false);
        keys = (cooldown == 0 ? source.rateLimited(false) : source.rateLimited(cooldown)).build();
        JWTClaimsSet expected = new JWTClaimsSet.Builder().issuer(issuer).build();
        claims = new DefaultJWTClaimsVerifier<>(audience, expected, Set.of("exp", "iat", "sub", "appid"));
        claims.setMaxClockSkew(30);
    }

    /** Whom the gateway vouches for. */
    Map<String, Object> identity(String assertion) throws ParseException, JOSEException, BadJOSEException {
        SignedJWT jwt = SignedJWT.parse(assertion == null ? "" : assertion);
        if (!TYPE.equals(jwt.getHeader().getType()) || !ALGORITHMS.contains(jwt.getHeader().getAlgorithm())) {
            throw new BadJWTException("it is of another type");
        }
        List<JWK> found = keys.get(new JWKSelector(JWKMatcher.forJWSHeader(jwt.getHeader())), null);
        if (found.isEmpty() || !jwt.verify(verifier(found.get(0)))) {
            throw new BadJWTException("it is not by one of the keys");
        }
        JWTClaimsSet said = jwt.getJWTClaimsSet();
        claims.verify(said, null);
        Map<String, Object> identity = new HashMap<>();
        identity.put("openid", said.getSubject());
        identity.put("appid", said.getStringClaim("appid"));
        identity.put("unionid", said.getStringClaim("unionid"));
        return identity;
    }

    /** The key decides on the algorithm. */
    private static JWSVerifier verifier(JWK key) throws JOSEException {
        switch (key.getKeyType().getValue()) {
            case "OKP":
                return new Ed25519Verifier(key.toOctetKeyPair());
            case "EC":
                return new ECDSAVerifier(key.toECKey());
            default:
                throw new JOSEException("it is by a key of another kind");
        }
    }

    private void handle(HttpExchange exchange) throws IOException {
        int status = 200;
        Map<String, Object> answer;
        try {
            answer = identity(exchange.getRequestHeaders().getFirst("X-WX-Assertion"));
        } catch (RateLimitReachedException error) {
            // A key that there is not, so soon after the last one: the set is there, and it is not in it.
            System.err.println(error.getMessage());
            status = 403;
            answer = Map.of("error", "not from the gateway");
        } catch (KeySourceException error) {
            System.err.println(error.getMessage());
            status = 503;
            answer = Map.of("error", "the keys of the gateway cannot be fetched");
        } catch (ParseException | JOSEException | BadJOSEException | RuntimeException error) {
            System.err.println(error.getMessage()); // for us; the client only learns that it is not let in
            status = 403; // not 401, by which Mini Programs know to log in again
            answer = Map.of("error", "not from the gateway");
        }
        byte[] body = JSONObjectUtils.toJSONString(answer).getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private static String variable(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    /** Serves until it is ended. */
    public static void main(String[] arguments) throws IOException {
        long cooldown = Long.parseLong(variable("JWKS_COOLDOWN", "30")) * 1000;
        Service service = new Service(
            System.getenv("JWKS_URL"), variable("ISSUER", "wxgate"), System.getenv("AUDIENCE"), cooldown);
        int port = Integer.parseInt(variable("PORT", "3000"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", service::handle);
        server.start();
        System.out.println("listening on 127.0.0.1:" + server.getAddress().getPort());
    }
}
