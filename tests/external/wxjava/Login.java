// What a backend with WxJava does with a login, against the simulator at WECHAT_URL.
// Prints what it got as one line of JSON.

import cn.binarywang.wx.miniapp.api.WxMaService;
import cn.binarywang.wx.miniapp.api.impl.WxMaServiceImpl;
import cn.binarywang.wx.miniapp.config.impl.WxMaDefaultConfigImpl;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import me.chanjar.weixin.common.error.WxErrorException;

public class Login {
  static final String URL = System.getenv("WECHAT_URL");

  // The client of the Mini Program, played by a control call.
  static JsonObject client(String call, String body) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(URL + "/simulator/" + call))
        .POST(HttpRequest.BodyPublishers.ofString(body))
        .build();
    HttpResponse<String> response =
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    return JsonParser.parseString(response.body()).getAsJsonObject();
  }

  public static void main(String[] arguments) throws Exception {
    WxMaDefaultConfigImpl config = new WxMaDefaultConfigImpl();
    config.setAppid(System.getenv("APPID"));
    config.setSecret(System.getenv("SECRET"));
    config.useStableAccessToken(true);
    config.setApiHostUrl(URL);
    WxMaService service = new WxMaServiceImpl();
    service.setWxMaConfig(config);

    String code = client("login", "{\"user\":\"alice\"}").get("code").getAsString();
    var session = service.getUserService().getSessionInfo(code);
    String key = session.getSessionKey();
    String replay = "";
    try {
      service.getUserService().getSessionInfo(code);
    } catch (WxErrorException error) {
      replay = error.getError().getErrorCode() + " " + error.getError().getErrorMsg();
    }

    JsonObject data = client("encrypted-data", "{\"user\":\"alice\",\"kind\":\"phone\"}");
    var opened = service.getUserService().getPhoneNoInfo(
        key, data.get("encryptedData").getAsString(), data.get("iv").getAsString());

    JsonObject profile = client("encrypted-data", "{\"user\":\"alice\",\"kind\":\"user_info\"}");
    boolean signed = service.getUserService().checkUserInfo(
        key, profile.get("rawData").getAsString(), profile.get("signature").getAsString());

    String phoneCode = client("phone-code", "{\"user\":\"alice\"}").get("code").getAsString();
    var number = service.getUserService().getPhoneNumber(phoneCode);

    JsonObject result = new JsonObject();
    result.addProperty("token", service.getAccessToken());
    result.addProperty("openid", session.getOpenid());
    result.addProperty("session_key", key);
    result.addProperty("replay", replay);
    result.addProperty("opened_phone", opened.getPurePhoneNumber());
    result.addProperty("opened_appid", opened.getWatermark().getAppid());
    result.addProperty("phone", number.getPurePhoneNumber());
    result.addProperty("signed", signed);
    System.out.println(result);
  }
}
