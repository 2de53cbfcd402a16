"""Words that say nothing about a theme, in English and Chinese. Negations are no such words: they turn what follows."""

_ENGLISH = """
a about after again all also although always am an and another any anyone anything are as at back be because been
before being both but by came can come could did do does doing done due during each either else even ever every
everything few for from gave get gets getting give given go goes going gone got had has have having he her here hers
him his how however i if in into is it its itself just let like made make makes many may me might mine more most
much must my myself need of off on once one only onto or other our ours out over own per please put quite rather
really said same say she should since so some someone something still such take than that the their theirs them then
there these they thing things this those though through till to too took two under until up upon us use used very
via want was way we well went were what when where whether which while who whom whose why will with would yet you
your yours yourself i'm i've i'd i'll it's that's there's they're they've we're we've we'd you're you've he's she's
"""
ENGLISH = frozenset(_ENGLISH.split())

# What negates in English; a word that ends in "n't" does, too.
ENGLISH_NEGATIONS = frozenset({"not", "no", "never", "cannot", "without"})

# A token of nothing but these is grammar. Traditional forms stand beside the simplified ones.
CHINESE_CHARACTERS = frozenset(
    "的了是我你您他她它们們也都就还還在有和与與跟及或而且但这這那哪个個一二两兩三四五六七八九十几幾些么麼吗嗎呢吧啊呀哦嗯哈啦嘛"
    "之其所以于於为為因被把给給让讓对對从從到向要会會能可再又才只很太最更真得地着著过過上下里裡中去来來说說后後前请請年月日号號时時"
)

_CHINESE = """
已经 已經 什么 什麼 怎么 怎麼 非常 感觉 感覺 比较 比較 特别 特別 时候 時候 的时候 的時候 今天 昨天 如果 然后 然後
结果 結果 虽然 雖然 不过 不過 每次 一直 觉得 覺得 以前 以后 以後 真是 真心 真的 居然 竟然 其他 自己 大家 有点 有點
一点 一點 这样 這樣 一样 一樣 一次 这次 這次 下次 第一次 一般 应该 應該 知道 看到 东西 東西 完全 简直 簡直 实在 實在
可能 只是 出来 出來 起来 起來 继续 繼續 不知道 之前 现在 現在 直接 根本
"""
CHINESE = frozenset(_CHINESE.split())

_CHINESE_NEGATIONS = "不 没 沒 没有 沒有 未 无 無 别 別 不是 并不 從不 从不"
CHINESE_NEGATIONS = frozenset(_CHINESE_NEGATIONS.split())
