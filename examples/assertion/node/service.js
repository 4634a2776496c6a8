// A service that believes the assertion of wxgate, and nothing else that a request says of its user.
import { createServer } from 'node:http'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const seconds = (name, otherwise) => Number(process.env[name] ?? otherwise) * 1000

// Kept for five minutes; a key that is not among them is looked for at once, but not in every request.
const keys = createRemoteJWKSet(new URL(process.env.JWKS_URL), {
  cacheMaxAge: 300_000,
  cooldownDuration: seconds('JWKS_COOLDOWN', 30),
})

async function identity(request) {
  const { payload } = await jwtVerify(request.headers['x-wx-assertion'] ?? '', keys, {
    typ: 'wxgate-assertion+jwt',
    algorithms: ['EdDSA', 'ES256'],
    issuer: process.env.ISSUER ?? 'wxgate',
    audience: process.env.AUDIENCE,
    requiredClaims: ['exp', 'iat', 'sub', 'appid'],
    clockTolerance: 30,
  })
  return { openid: payload.sub, appid: payload.appid, unionid: payload.unionid }
}

// What jose says of the key set, and not of the assertion.
const NO_KEYS = ['ERR_JOSE_GENERIC', 'ERR_JWKS_INVALID', 'ERR_JWKS_TIMEOUT']

const server = createServer(async (request, response) => {
  const answer = (status, body) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  try {
    answer(200, await identity(request))
  } catch (error) {
    console.error(error.message) // for us; the client only learns that it is not let in
    // Not 401, by which Mini Programs know to log in again.
    if (error instanceof errors.JOSEError && !NO_KEYS.includes(error.code)) answer(403, { error: 'not from the gateway' })
    else answer(503, { error: 'the keys of the gateway cannot be fetched' })
  }
})
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`)
})
