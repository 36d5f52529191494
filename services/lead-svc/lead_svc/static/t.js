/* First-party visit tracking. Without consent a page is counted and nobody recognised; no cookie is set.
   ltc.consent(true) recognises this browser from now on, ltc.consent(false) forgets it here and at the server.
   ltc.visitor() is the id for a form's field `visitor_id`. Do Not Track and Global Privacy Control: nothing is sent at all. */
(function () {
  'use strict';
  var tag = document.currentScript, site = tag && tag.getAttribute('data-site');
  var to = tag && new URL('t', tag.src).href, name = 'ltc_vid', days = 180;
  var refused = navigator.doNotTrack === '1' || window.doNotTrack === '1' || navigator.globalPrivacyControl === true;

  function visitor() {
    var found = document.cookie.match(/(?:^|; )ltc_vid=([0-9a-f-]{36})(?:;|$)/);
    return found ? found[1] : null;
  }
  function keep(value, age) {
    document.cookie = name + '=' + value + '; Max-Age=' + age + '; Path=/; SameSite=Lax' +
      (location.protocol === 'https:' ? '; Secure' : '');
  }
  function fresh() {
    if (crypto.randomUUID) { return crypto.randomUUID(); }
    var b = crypto.getRandomValues(new Uint8Array(16));
    b[6] = b[6] & 15 | 64; b[8] = b[8] & 63 | 128;
    var hex = Array.prototype.map.call(b, function (x) { return (x + 256).toString(16).slice(1); }).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
  function send(more) {
    var body = JSON.stringify(Object.assign({ site: site, url: location.href, referrer: document.referrer, visitor: visitor() }, more));
    if (!(navigator.sendBeacon && navigator.sendBeacon(to, body))) {
      fetch(to, { method: 'POST', body: body, keepalive: true, credentials: 'omit' }).catch(function () {});
    }
  }
  window.ltc = {
    visitor: visitor,
    refused: refused,
    consent: function (given) {
      if (!given) {
        var old = visitor();
        keep('', 0);
        if (old) { send({ visitor: old, forget: true }); }
      } else if (!refused && !visitor()) {
        keep(fresh(), days * 86400);
        send({ kind: 'page' });
      }
    }
  };
  if (!site || refused) { return; }
  send({ kind: document.querySelector('form[data-ltc]') ? 'form' : 'page' });
  document.addEventListener('submit', function (event) {
    var field = event.target.querySelector && event.target.querySelector('input[name="visitor_id"]');
    if (field && visitor()) { field.value = visitor(); }
  }, true);
})();
