"""Training data: pairs of a blurred picture and its truth, as patches.

``photos`` and ``pairs`` read what lies on disk. ``motion`` and ``defocus`` blur a photo, by means
of ``trajectory``, ``convolution``, ``masks``, ``distributions`` and ``camera``; ``frames`` averages
video. ``sources`` draw pairs from these, a ``pool`` makes each serve several draws, and ``patches``
turns them into batches, which ``workers`` make in processes of their own, around one ``shared``
copy of the pictures. Random numbers come from the generator passed in.
"""
