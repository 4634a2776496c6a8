// A Mini Program with wafer2-client-sdk, its `wx` played by Node: it logs in, calls, has its session
// ended behind its back, and calls again. Prints what it got as one line of JSON.
'use strict';

const { GATEWAY_URL, WECHAT_URL } = process.env;

const storage = new Map();
const statuses = [];

async function simulator(call, body) {
  const response = await fetch(`${WECHAT_URL}/simulator/${call}`, {
    method: 'POST',
    body: JSON.stringify({ user: 'alice', ...body }),
  });
  return response.json();
}

async function send({ url, method = 'GET', header = {} }) {
  const response = await fetch(url, { method, headers: { 'content-type': 'application/json', ...header } });
  statuses.push(response.status);
  const text = await response.text();
  let data = text;
  try {
    data = JSON.parse(text);
  } catch {
    // wx.request hands text on that is no JSON.
  }
  return { data, statusCode: response.status, header: Object.fromEntries(response.headers) };
}

global.wx = {
  login: (options) => simulator('login').then(({ code }) => options.success({ code }), options.fail),
  getUserInfo: (options) => simulator('encrypted-data', { kind: 'user_info' })
    .then((data) => options.success({ ...data, userInfo: {} }), options.fail),
  request: (options) => send(options).then(options.success, options.fail),
  getStorageSync: (key) => storage.get(key) ?? '',
  setStorageSync: (key, value) => storage.set(key, value),
  removeStorageSync: (key) => storage.delete(key),
  onSocketOpen() {},
  onSocketMessage() {},
  onSocketError() {},
  onSocketClose() {},
};

const qcloud = require('wafer2-client-sdk');

const call = (method, options) => new Promise((success, fail) => {
  qcloud[method]({ ...options, success, fail });
});

async function main() {
  qcloud.setLoginUrl(`${GATEWAY_URL}/weapp/login`);
  const user = await call('login', {});
  const first = await call('request', { url: `${GATEWAY_URL}/weapp/user`, login: false });
  const firstSkey = qcloud.Session.get().skey;
  await send({ url: `${GATEWAY_URL}/logout`, method: 'POST', header: { 'X-WX-Skey': firstSkey } });
  const again = await call('request', { url: `${GATEWAY_URL}/weapp/user`, login: false });
  console.log(JSON.stringify({
    user,
    first: first.data,
    again: again.data,
    statuses,
    first_skey: firstSkey,
    second_skey: qcloud.Session.get().skey,
  }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
