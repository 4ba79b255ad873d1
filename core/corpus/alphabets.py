"""Letters beyond ASCII that languages are written with: what tells a right reading of bytes from a wrong one. No torch.

Only languages that had 8-bit encodings of their own matter here; every other text is in Unicode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The small letters of a language that aren't in ASCII."""

    common: frozenset[str]
    """Those that a page of text is sure to hold."""
    rare: frozenset[str]
    """Those that occur besides, in loan words and names too."""


def _alphabets(table: str) -> Mapping[str, Alphabet]:
    rows = (line.split(":") for line in table.split("\n") if line)
    return {name: Alphabet(frozenset(common), frozenset(rare)) for name, common, rare in rows}


ALPHABETS = _alphabets(
    """\
Albanian:ëç:
Arabic:اليمنترهبدوعةسفق:أإآئؤءىحجكشصضطظزذخغثـًٌٍَُِّْ،؛؟
Belarusian:аеінроксялыдтуцзбвпмьўйчшгхжё:эюф
Bulgarian:аеиотнрсвлкдпмзъгубчщцжшяй:хюфь
Catalan:àèéíóçò:úïüáñ·ŀ
Croatian:čšžćđ:áéöü
Czech:áíéěščřžýů:úťďňóöüäć
Danish:åøæ:éöäüáó
Dutch:ëéïó:èüêöäáàçç
Esperanto:ĝĉŝĵŭ:ĥé
Estonian:äõüö:šžé
Faroese:áíóúðøæý:öé
Finnish:äö:åšžéü
French:éèàêç:ùâîôûëïüœæÿñöäáó
German:äüöß:éèáàçâñóôë
Greek:αοιετσνηυρπκμλςάίόέήύώ:ωγδθχφβξζψϊϋΐΰ
Hebrew:יוהלאתרמבשנעדםקחפ:כטצסגזןךףץ
Hungarian:áéöóőíü:úűäëč
Icelandic:áíðþéöóúæý:üø
Irish:áéíóú:
Italian:àèùòì:éîóäöü
Latvian:āīēšūņļžķģč:éöü
Lithuanian:ėšųžįąūč:ęóé
Macedonian:аоиетнрсвлкдпмузјгбчцшжќѓхњљ:фџѕѐѝ
Maltese:ħżġċ:àèùìòéâî
Names:éáíóöüäñèçø:ãåôêëàúâïòõìîæùûýß
Persian:ایرندهمتبوسگشکزپ:آلفقعخحجچصضطظذغثژءئؤأۀً،؛؟
Polish:łąężśćó:ńźéöüáčšò
Portuguese:ãçéáóíê:õúâôàüòèñ
Romanian:ăîâşţ:áéöüóè
Romanian with commas:ăîâșț:áéöüóè
Russian:оеаинтсрвлкмдпуяыьгзбчйжхшю:цщэфъё
Serbian:аоиенрјтсвдкупмлгзбшчцжћњљ:хђфџ
Slovak:áíéčšžťľýúô:ňďóäŕĺöüěř
Slovene:čšž:ćđáéöü
Spanish:óáíéñú:üçèàö
Swedish:äåö:éàüèáøæ
Thai:านรอกเงมยลวดท่้ีัิต:สคปบแพหไขจชถะใึืุูผณธซโศำษภญฉฐฝฟ์ฎฏฑฒฬฮ็๊๋ฤฯๆๅฃฅ
Turkish:ıişğüçö:âîûİ
Ukrainian:оаинвіртеслкудмпзяьбгйчюхцїжш:щєфґ
"""
)
"""By language, from the letters' frequency in each; "Names" are the foreign ones in text of any language."""
