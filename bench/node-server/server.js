// The usual backend of a Mini Program: login with a code, a JWT of its own, opening of encrypted data, a phone number by code.
import axios from 'axios'
import express from 'express'
import jwt from 'jsonwebtoken'
import { openData } from './open-data.js'

const { PORT, WECHAT, APPID, SECRET, JWT_SECRET } = process.env
const wechat = axios.create({ baseURL: WECHAT })
const sessionKeys = new Map()
const app = express()
app.use(express.json())

app.get('/wxLogin', async (request, response) => {
  const { data } = await wechat.get('/sns/jscode2session', {
    params: { appid: APPID, secret: SECRET, js_code: request.query.code, grant_type: 'authorization_code' },
  })
  if (!data.openid) return response.status(401).json({ error: data.errmsg })
  sessionKeys.set(data.openid, data.session_key)
  const token = jwt.sign({ openid: data.openid }, JWT_SECRET, { expiresIn: '7d' })
  response.json({ token, openid: data.openid })
})

app.use((request, response, next) => {
  try {
    const token = (request.headers.authorization ?? '').replace('Bearer ', '')
    request.user = jwt.verify(token, JWT_SECRET)
    next()
  } catch {
    response.status(401).json({ error: 'not logged in' })
  }
})

app.get('/api/who', (request, response) => response.send(request.user.openid))

app.all('/getUserProfile', (request, response) => {
  const { encryptedData, iv } = { ...request.query, ...request.body }
  response.json(openData(sessionKeys.get(request.user.openid), encryptedData, iv))
})

let accessToken
app.post('/getUserProfileByCode', async (request, response) => {
  if (!accessToken) {
    const { data } = await wechat.get('/cgi-bin/token', {
      params: { appid: APPID, secret: SECRET, grant_type: 'client_credential' },
    })
    accessToken = data.access_token
  }
  const { data } = await wechat.post('/wxa/business/getuserphonenumber', { code: request.body.code }, {
    params: { access_token: accessToken },
  })
  response.json(data.phone_info)
})

app.listen(PORT, '127.0.0.1')
