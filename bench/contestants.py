"""Who takes part. A new peer is a class with a name and a `start`, listed here."""

from gateways import Wxgate, WxgateEddsa, WxgateProfiled, WxgateQuiet, WxgateRedis
from peers import Bare, Direct, Envoy, Haproxy, Nginx

ALL = (Wxgate, WxgateProfiled, WxgateQuiet, WxgateRedis, WxgateEddsa, Bare, Haproxy, Envoy, Nginx, Direct)
CONTESTANTS = {each.name: each for each in ALL}
