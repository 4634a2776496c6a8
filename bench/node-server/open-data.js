import { createDecipheriv } from 'node:crypto'

// What is encrypted with the session key, as an object.
export function openData(sessionKey, encryptedData, iv) {
  const decipher = createDecipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), Buffer.from(iv, 'base64'))
  const text = decipher.update(encryptedData, 'base64', 'utf8') + decipher.final('utf8')
  return JSON.parse(text)
}
