// What a backend with node-easywechat does with a login, against the simulator at WECHAT_URL.
// Prints what it got as one line of JSON.
'use strict';

const { MiniApp } = require('node-easywechat');

const { WECHAT_URL, APPID, SECRET } = process.env;

// The client of the Mini Program, played by a control call.
async function client(call, body) {
  const response = await fetch(`${WECHAT_URL}/simulator/${call}`, {
    method: 'POST',
    body: JSON.stringify({ user: 'alice', ...body }),
  });
  return response.json();
}

async function main() {
  const app = new MiniApp({
    app_id: APPID,
    secret: SECRET,
    use_stable_access_token: true,
    http: { baseURL: WECHAT_URL },
  });

  const { code } = await client('login');
  const session = await app.getUtils().codeToSession(code);
  const replay = await app.getUtils().codeToSession(code).catch((error) => error.message);

  const data = await client('encrypted-data', { kind: 'phone' });
  const opened = app.getUtils().decryptSession(session.session_key, data.iv, data.encryptedData);

  const phone = await client('phone-code');
  const response = await app.getClient().postJson('/wxa/business/getuserphonenumber', {
    code: phone.code,
    openid: session.openid,
  });
  const number = response.toObject();

  console.log(JSON.stringify({
    token: await app.getAccessToken().getToken(),
    openid: session.openid,
    session_key: session.session_key,
    replay,
    opened_phone: opened.purePhoneNumber,
    opened_appid: opened.watermark.appid,
    phone: number.phone_info.purePhoneNumber,
  }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
