/** Texts of the kinds that prompts and answers consist of, to hold estimates against real counts. */
import fc from 'fast-check';

/** The same "random" numbers in each run (a linear congruential generator, 32 bits). */
function* sequence(seed: number): Generator<number> {
  let state = seed >>> 0;
  while (true) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state;
  }
}

function draw(alphabet: string, length: number, seed: number): string {
  const numbers = sequence(seed);
  let text = '';
  for (let i = 0; i < length; i++) {
    text += alphabet[Math.floor((numbers.next().value as number) / 65536) % alphabet.length];
  }
  return text;
}

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = UPPER.toLowerCase();
const DIGITS = '0123456789';
const BASE64 = `${UPPER}${LOWER}${DIGITS}+/`;

export const SAMPLES: Readonly<Record<string, string>> = {
  'English prose': `The lighthouse keeper had long since stopped counting the winters. Every evening he climbed
the hundred and twelve steps, trimmed the wick, and wrote a single line in the ledger: wind, visibility, and
whatever ship had passed. Nobody read it. Still, he believed that a careful record was a kind of promise, made
to people he would never meet. "You could simply stop," his sister told him once, pouring the tea. He considered
this seriously, as he considered everything, and then shook his head. What would be left of the place, he asked,
if there were no one to notice that the light had gone out?`,

  'English chat': `Hi! Can you help me plan a 3-day trip to Lisbon? We're two adults and a toddler, so nothing too
crazy. I'd love some museums, good (cheap!) food, and at least one afternoon at the beach. Also: is the metro
OK with a stroller? Thanks so much :)`,

  'technical English': `The reconciliation worker periodically enumerates outstanding reservations, compares them
with the authoritative ledger, and asynchronously compensates inconsistencies. Misconfigured deserialization,
nondeterministic scheduling and insufficiently parameterized retries were identified as the predominant causes of
unavailability. Idempotency, backpressure and observability are therefore first-class architectural requirements.`,

  TypeScript: `export async function fetchUser(id: string, opts: RequestOptions = {}): Promise<User | null> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), opts.timeoutMs ?? 5_000);
  try {
    const res = await fetch(\`\${BASE_URL}/users/\${encodeURIComponent(id)}\`, { signal: controller.signal });
    if (res.status === 404) return null;
    if (!res.ok) throw new HttpError(res.status, await res.text());
    return userSchema.parse(await res.json());
  } finally {
    clearTimeout(timer);
  }
}
`,

  Python: `import re
from collections import defaultdict


class Tokenizer:
    """Splits a text into words and counts them."""

    def __init__(self, lowercase=True, min_length=2):
        self.lowercase = lowercase
        self.min_length = min_length
        self._counts = defaultdict(int)

    def feed(self, text: str) -> None:
        for word in re.findall(r"[a-zA-Z']+", text):
            if len(word) < self.min_length:
                continue
            self._counts[word.lower() if self.lowercase else word] += 1

    def top(self, n=10):
        return sorted(self._counts.items(), key=lambda kv: (-kv[1], kv[0]))[:n]
`,

  SQL: `SELECT a.agent_id, SUM(t.amount_msat) AS spent_msat, COUNT(*) AS n
FROM transfers AS t JOIN accounts AS a ON a.id = t.debit_account_id
WHERE t.created_at >= :since AND a.kind = 'agent_held' GROUP BY a.agent_id
HAVING SUM(t.amount_msat) > 0 ORDER BY spent_msat DESC LIMIT 50;`,

  'JSON, compact': JSON.stringify({
    id: 'chatcmpl-9f3Kq2',
    object: 'chat.completion',
    created: 1712345678,
    model: 'gpt-4o-mini',
    choices: [
      { index: 0, message: { role: 'assistant', content: 'Hello there!' }, finish_reason: 'stop' },
    ],
    usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
    flags: [true, false, null],
    coordinates: { lat: 48.2082, lon: 16.3738 },
  }),

  'JSON, indented': JSON.stringify(
    {
      name: 'get_weather',
      description: 'Current weather at a place',
      parameters: {
        type: 'object',
        properties: {
          city: { type: 'string', description: 'Name of the city' },
          unit: { type: 'string', enum: ['celsius', 'fahrenheit'] },
        },
        required: ['city'],
        additionalProperties: false,
      },
    },
    null,
    2,
  ),

  Markdown: `## Installation

1. Clone the repository and run \`npm install\`.
2. Copy \`.env.example\` to \`.env\` and fill in **all** values.
3. Start it: \`npm run dev\`.

| Option | Default | Meaning |
|--------|---------|---------|
| \`port\` | 8080 | where it listens |
| \`level\` | info | of the log |

> **Note**: see [the guide](https://example.com/docs/guide#setup) for details.
`,

  HTML: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Orders</title>
<link rel="stylesheet" href="/static/app.css"></head><body class="page page--orders">
<ul id="list"><li class="row" data-id="17"><a href="/orders/17">Order 17</a> <span>12.50 EUR</span></li></ul>
<script src="/static/app.js" defer></script></body></html>`,

  log: `2025-03-14T09:26:53.589Z INFO  [http] GET /v1/models 200 12ms id=6f1e0c7a
2025-03-14T09:26:54.002Z WARN  [upstream] provider=alpha attempt=2 error=ECONNRESET after 1503ms
2025-03-14T09:26:54.377Z ERROR [ledger] reservation rsv_01HV8Z3K4M5N6P7Q8R9S0T1V2W expired (held 12000 msat)
`,

  German: `Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen
begabt und sollen einander im Geiste der Brüderlichkeit begegnen. Die Geschwindigkeitsbegrenzung auf der
Autobahn wurde gestern überraschend aufgehoben, wie das Bundesverkehrsministerium mitteilte. Für die
Datenschutzbeauftragten ändert sich dadurch nichts; trotzdem häufen sich die Rückfragen besorgter Bürgerinnen.`,

  French: `Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de
conscience et doivent agir les uns envers les autres dans un esprit de fraternité. Hier, j'ai acheté du pain, du
fromage et quelques pêches ; aujourd'hui, qu'est-ce qu'on mange ?`,

  Spanish: `Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y
conciencia, deben comportarse fraternalmente los unos con los otros. ¿Podrías explicarme cómo funciona la
desfragmentación del disco? ¡Muchas gracias!`,

  Polish: `Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem
i sumieniem i powinni postępować wobec innych w duchu braterstwa. Wczoraj po południu zadzwoniła do mnie
nauczycielka, żeby zapytać o najbliższą wycieczkę szkolną.`,

  Turkish: `Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve
birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler. Yarınki toplantıya katılamayacağınızı
düşünüyorum, lütfen önceden bildiriniz.`,

  Vietnamese: `Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi. Mọi con người đều
được tạo hóa ban cho lý trí và lương tâm và cần phải đối xử với nhau trong tình anh em.`,

  Chinese: `人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。
昨天下午我去超市买了一些水果和蔬菜，晚上和家人一起做了饭。请你帮我写一封邮件，告诉客户我们的项目会推迟两个星期，
原因是供应商没有按时交货。另外，这个函数的时间复杂度是多少？能不能用更简单的方法实现？`,

  'Chinese, traditional': `人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神互相對待。
請問這裡附近有沒有好吃的餐廳？我們想找一間適合帶小孩去的，價錢不要太貴，最好可以走路就到。`,

  Japanese: `すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。
人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。
昨日の会議の議事録をまとめて、メールで送っていただけますか。サーバーのログにエラーが出ていたので、コードを修正しました。`,

  Korean: `모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을
부여받았으며 서로 형제애의 정신으로 행동하여야 한다. 어제 저녁에 친구들과 함께 새로 생긴 식당에 갔는데 음식이
정말 맛있었어요. 다음 주에 회의 일정을 조정할 수 있을까요?`,

  Russian: `Все люди рождаются свободными и равными в своём достоинстве и правах. Они наделены разумом и совестью
и должны поступать в отношении друг друга в духе братства. Вчера вечером мы долго обсуждали, как ускорить
обработку запросов, и решили переписать планировщик. Пожалуйста, объясни, почему эта функция возвращает ошибку?`,

  Ukrainian: `Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю
і повинні діяти у відношенні один до одного в дусі братерства. Будь ласка, перевір, чи працює цей застосунок.`,

  Greek: `Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με
λογική και συνείδηση, και οφείλουν να συμπεριφέρονται μεταξύ τους με πνεύμα αδελφοσύνης.`,

  Arabic: `يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميرًا وعليهم أن يعامل بعضهم بعضًا
بروح الإخاء. ذهبت أمس إلى السوق واشتريت بعض الفواكه والخضروات، ثم عدت إلى البيت لأكتب هذا التقرير. هل يمكنك أن
تشرح لي كيف تعمل هذه الدالة؟`,

  Hebrew: `כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג
איש ברעהו ברוח של אחווה. האם תוכל לעזור לי לכתוב מכתב ללקוח?`,

  Hindi: `सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और अन्तरात्मा
की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए। कल मैं बाज़ार गया और कुछ फल खरीदे। क्या आप मुझे बता
सकते हैं कि यह प्रोग्राम कैसे काम करता है?`,

  Bengali: `সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে। তাঁদের বিবেক এবং বুদ্ধি আছে; সুতরাং
সকলেরই একে অপরের প্রতি ভ্রাতৃত্বসুলভ মনোভাব নিয়ে আচরণ করা উচিত।`,

  Tamil: `மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், உரிமைகளிலும் சமமானவர்கள்.
அவர்கள் நியாயத்தையும் மனச்சாட்சியையும் இயற்பண்பாகப் பெற்றவர்கள்.`,

  Thai: `มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม
และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ`,

  base64: draw(BASE64, 800, 1),
  'base64 in lines': (draw(BASE64, 760, 2).match(/.{76}/g) ?? []).join('\n'),
  hexadecimal: draw(`${DIGITS}abcdef`, 640, 3),
  UUIDs: Array.from({ length: 12 }, (_, i) =>
    [8, 4, 4, 4, 12].map((n) => draw(`${DIGITS}abcdef`, n, 100 + i * 7 + n)).join('-'),
  ).join('\n'),

  'numbers in CSV': Array.from(
    { length: 30 },
    (_, i) => `${i},${draw(DIGITS, 5, i + 1)}.${draw(DIGITS, 2, i + 9)},${draw(DIGITS, 9, i + 77)}`,
  ).join('\n'),
  'long numbers': Array.from({ length: 20 }, (_, i) => draw(DIGITS, 15, i)).join(' '),

  emoji: '😀 😂🔥 🎉🎉🎉 👍🏽 ❤️ 👩‍👩‍👧‍👦 🚀 ✅ 🤔🙏 😅 💯 🇩🇪 🏳️‍🌈 ⚡️ 🥳🍕 🐛 🛠️ 📈',
  'chat with emoji': `omg yes 😂😂 that's exactly what I meant!! 🎉 see you at 8 🍕🍻 don't be late 😜`,
  mathematics: `∀x ∈ ℝ: ∃y ≥ 0, √(x² + y²) ≤ |x| + |y|; ∑ᵢ₌₁ⁿ i = n(n+1)/2 → ∞, ∂f/∂x ≈ Δf/Δx ± ε, α·β ≠ γ ⇒ ¬(A ∧ B)`,
  'box drawing': `┌──────────┬────────┐
│ name     │ sats   │
├──────────┼────────┤
│ alpha    │ 1.250  │
└──────────┴────────┘`,
};

/** Characters at which the tokenizer's pattern decides: case, apostrophes, spaces, marks, digits. */
const TURNING_POINTS = [
  ..." \t\r\n\n//'''sStTlLvVrReEaAzZ09123.,-({_",
  ...'\u00a0\u3000\u2028\u0301\u00b2\u0660\u2167\u01c5\u02b0\u0000\u001f\u0085日あ한я😀',
  '\ud800',
  '\udc00',
];

/** Short texts of those and of pieces of the samples; without U+FEFF, which the library loses. */
export const mixedText = fc
  .array(
    fc.oneof(
      fc.constantFrom(...TURNING_POINTS),
      fc.constantFrom(...Object.values(SAMPLES).flatMap((text) => text.match(/.{1,7}/gsu) ?? [])),
    ),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(''));

/** Any code units at all, lone surrogates and controls among them. */
export const anyText = fc
  .array(fc.nat(0xffff), { maxLength: 40 })
  .map((units) => String.fromCharCode(...units));
