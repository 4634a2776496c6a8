// Validates each document of documents.json by schema.json; prints what is wrong with each.
const Ajv = require('ajv/dist/2020')
const { readFileSync } = require('node:fs')

const read = (file) => JSON.parse(readFileSync(file, 'utf8'))
const validate = new Ajv({ allErrors: true, strict: 'log' }).compile(read('schema.json'))
const errors = (document) => {
  if (validate(document)) return []
  return validate.errors.map(({ instancePath, message }) => `${instancePath} ${message}`)
}
console.log(JSON.stringify(read('documents.json').map(errors)))
