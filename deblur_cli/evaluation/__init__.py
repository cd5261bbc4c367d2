"""How well a restored picture matches the truth, by the field's protocols, beside papers' figures.

``subjects`` opens a set and the ``protocols`` that belongs to it, made of ``measures``. A set is
measured on ``candidates`` (networks, results of others, the blurred pictures): ``runner`` streams
it, ``evaluation`` adds what is on ``records`` and the work of other ``ranks``. ``report`` puts
means beside ``published`` rows, ``documents`` and ``plots`` write them. ``measure`` is the short
way for one network and a folder.
"""
