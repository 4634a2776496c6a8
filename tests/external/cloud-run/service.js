// The handler of WeixinCloud/wxcloudrun-express (index.js, GET /api/wx_openid), on Node's own server
// instead of express: it answers only where X-WX-SOURCE is there. Prints its port.
'use strict';

const http = require('http');

const server = http.createServer((req, res) => {
  res.send = (text) => res.end(text);
  if (req.headers['x-wx-source']) {
    res.send(req.headers['x-wx-openid']);
  } else {
    res.statusCode = 403;
    res.send('not from WeChat');
  }
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
