// measure-open-data.js SESSION_KEY ENCRYPTED_DATA IV SECONDS: how often that is opened in a second of this process's CPU time.
import { openData } from './open-data.js'

const [sessionKey, encryptedData, iv, seconds] = process.argv.slice(2)
const cpu = () => process.cpuUsage().user + process.cpuUsage().system
const work = (microseconds) => {
  const begin = cpu()
  let opened = 0
  while (cpu() - begin < microseconds) {
    for (let i = 0; i < 1000; i++) openData(sessionKey, encryptedData, iv)
    opened += 1000
  }
  return opened / ((cpu() - begin) / 1e6)
}
work(500_000) // until it is compiled
console.log(JSON.stringify({ per_cpu_second: work(seconds * 1e6) }))
